import { beforeEach, describe, expect, test } from "vitest"
import { call, costOf } from "../../support/people.ts"
import {
  auditOf,
  claimsOf,
  invite,
  join,
  type Member,
  organisationOf,
  path,
  person,
  query,
  read,
  refresh,
  refused,
  rolesIn,
  switchTo,
} from "./organisation-cast.ts"

let n = 0
let olga: Member
let mia: Member
let club: string
beforeEach(async () => {
  n++
  olga = await person(`olga-${n}`)
  mia = await person(`mia-${n}`)
  club = await organisationOf(olga)
  await join(mia, club, "member")
  await switchTo(olga, club)
})

const remove = (as: Member, user: string, organisation = club) =>
  call(as, "DELETE", path(organisation, `/members/${user}`))
const setRoles = (as: Member, user: string, roles: string[], organisation = club) =>
  call(as, "PATCH", path(organisation, `/members/${user}`), { roles })
const transfer = (as: Member, user: string) =>
  call(as, "POST", path(club, "/ownership-transfers"), { user })

test("a member who was removed is refused at the very next write and read", async () => {
  await switchTo(mia, club)
  const { id } = await read<{ id: string }>(
    call(mia, "POST", "/records/tickets", { subject: "mine" }),
    201,
  )
  const removed = await remove(olga, mia.id)
  expect(removed.status).toBe(204)
  expect(costOf(removed).trips).toBe(2)
  for (const [method, address, body] of [
    ["POST", "/records/tickets", { subject: "late" }],
    ["PATCH", `/records/tickets/${id}`, { subject: "late" }],
    ["GET", "/records/tickets"],
    ["GET", `/records/tickets/${id}`],
    ["GET", path(club)],
  ] as const) {
    expect(await refused(call(mia, method, address, body), 401)).toBe("token_outdated")
  }
  await refresh(mia)
  expect(claimsOf(mia.token)).toMatchObject({ org: null, roles: [], db: "main" })
  expect(await refused(call(mia, "GET", `/records/tickets/${id}`), 404)).toBe("not_found")
  expect((await auditOf(club)).at(-1)).toMatchObject({
    kind: "member.removed",
    user: mia.id,
    actor: olga.id,
    detail: { authority: "member", roles: ["member"] },
  })
  const mails = await query("SELECT template, recipient, organisation FROM mails")
  expect(mails).toContainEqual({
    template: "organisation-member-removed",
    recipient: mia.id,
    organisation: club,
  })
})

test("a role that is taken is gone from the next write on", async () => {
  await setRoles(olga, mia.id, ["admin"])
  await refresh(mia)
  await switchTo(mia, club)
  expect(claimsOf(mia.token).roles).toEqual(["admin"])
  await read(setRoles(olga, mia.id, ["member", "guest", "guest"]), 200)
  expect(await refused(invite(mia, club, "x@example.test", "guest"), 401)).toBe("token_outdated")
  await refresh(mia)
  expect(claimsOf(mia.token)).toMatchObject({ org: club, roles: ["guest", "member"] })
  expect(await refused(invite(mia, club, "x@example.test", "guest"), 403)).toBe("forbidden")
})

test("members are listed in pages, without their addresses", async () => {
  for (const role of ["admin", "guest"]) await join(await person(`${role}-${n}`), club, role)
  const first = await read<{ items: { id: string }[]; next: string }>(
    call(mia, "GET", path(club, "/members?limit=3")),
    200,
  )
  const rest = await read<{ items: { id: string }[]; next: null }>(
    call(mia, "GET", path(club, `/members?limit=3&cursor=${first.next}`)),
    200,
  )
  const all = [...first.items, ...rest.items]
  expect(all).toHaveLength(4)
  expect(all[0]).toEqual({ id: olga.id, name: `olga-${n}`, roles: ["owner"] })
  expect(JSON.stringify(all)).not.toContain("@")
})

test("roles stay within their organisation", async () => {
  const other = await organisationOf(mia)
  expect(await refused(setRoles(mia, olga.id, ["guest"]), 403)).toBe("forbidden")
  expect(await refused(remove(mia, olga.id, other), 404)).toBe("not_found")
  await switchTo(mia, club)
  expect(claimsOf(mia.token).roles).toEqual(["member"])
  await switchTo(mia, other)
  expect(claimsOf(mia.token).roles).toEqual(["owner"])
  expect(await refused(setRoles(mia, mia.id, ["owner"]), 403)).toBe("forbidden")
})

test("no role of an organisation opens what is for administrators of the deployment", async () => {
  await query(
    'UPDATE organisation_members SET roles = \'["administrator","owner"]\' WHERE user = ?',
    [olga.id],
  )
  await refresh(olga)
  expect(claimsOf(olga.token).roles).toEqual(["owner"])
  expect(await refused(call(olga, "GET", "/auth/users"), 403)).toBe("forbidden")
})

describe("the last owner", () => {
  test("neither leaves nor steps down", async () => {
    await setRoles(olga, mia.id, ["admin"])
    for (const answer of [
      remove(olga, olga.id),
      setRoles(olga, olga.id, ["admin"]),
      setRoles(olga, olga.id, ["guest"]),
    ]) {
      expect(await refused(answer, 409)).toBe("conflict")
    }
    await call(olga, "GET", path(club)).then((answer) => expect(answer.status).toBe(200))
    expect(await rolesIn(club, olga.id)).toEqual(["owner"])
  })

  test("is the last one too where the other's account is disabled", async () => {
    await join(mia, club, "owner")
    await query("UPDATE users SET disabledAt = '2026-01-01T00:00:00.000Z' WHERE id = ?", [mia.id])
    expect(await refused(remove(olga, olga.id), 409)).toBe("conflict")
  })

  test("remains under twenty calls at once, of owners who leave", async () => {
    const owners = [olga]
    for (let i = 0; i < 19; i++) {
      const owner = await person(`leaver-${n}-${i}`)
      await join(owner, club, "owner")
      owners.push(owner)
    }
    const answers = await Promise.all(owners.map((owner) => remove(owner, owner.id)))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(204), 409])
    const left = await query(
      "SELECT user FROM organisation_members WHERE organisation = ? AND roles LIKE '%owner%'",
      [club],
    )
    expect(left).toHaveLength(1)
  })

  test("remains under twenty calls at once, of owners who turn on each other", async () => {
    const owners = [olga]
    for (let i = 0; i < 9; i++) {
      const owner = await person(`rival-${n}-${i}`)
      await join(owner, club, "owner")
      owners.push(owner)
    }
    const answers = await Promise.all(
      owners.flatMap((owner, i) => {
        const rival = owners[(i + 1) % owners.length] as Member
        return [remove(owner, rival.id), setRoles(owner, rival.id, ["guest"])]
      }),
    )
    const codes = await Promise.all(
      answers.map(async (answer) =>
        answer.status < 300 ? "done" : ((await answer.json()) as { code: string }).code,
      ),
    )
    // Overtaken, outdated, gone, or alone: never a failure of ours.
    for (const code of codes) {
      expect(["done", "token_outdated", "not_found", "conflict", "overloaded"]).toContain(code)
    }
    const left = await query(
      "SELECT user FROM organisation_members WHERE organisation = ? AND roles LIKE '%owner%'",
      [club],
    )
    expect(left.length).toBeGreaterThan(0)
    await agree(owners)
  })
})

/** The projection says of each what the directory says. */
async function agree(people: readonly Member[]): Promise<void> {
  for (const { id } of people) {
    const [user] = await query("SELECT epoch, version FROM users WHERE id = ?", [id])
    const [member] = await query("SELECT epoch, version FROM members WHERE id = ?", [id])
    expect(member).toEqual(user)
    expect(
      await query("SELECT organisation, roles FROM member_organisations WHERE member = ?", [id]),
    ).toEqual(
      await query("SELECT organisation, roles FROM organisation_members WHERE user = ?", [id]),
    )
  }
}

describe("a transfer of ownership", () => {
  test("makes one an owner and the other an admin, both at once, and tells them", async () => {
    const answer = await transfer(olga, mia.id)
    expect(costOf(answer).trips).toBe(2)
    expect(await read(answer, 201)).toEqual({
      id: mia.id,
      name: `mia-${n}`,
      roles: ["member", "owner"],
    })
    expect(await rolesIn(club, olga.id)).toEqual(["admin"])
    for (const one of [olga, mia]) {
      expect(await refused(call(one, "GET", path(club)), 401)).toBe("token_outdated")
    }
    await agree([olga, mia])
    await refresh(olga)
    expect(await refused(transfer(olga, olga.id), 403)).toBe("forbidden")
    const mails = await query(
      "SELECT template, recipient FROM mails WHERE organisation = ? ORDER BY template",
      [club],
    )
    expect(mails).toEqual([
      { template: "organisation-ownership-given", recipient: olga.id },
      { template: "organisation-ownership-received", recipient: mia.id },
    ])
    expect((await auditOf(club)).at(-1)).toMatchObject({
      kind: "organisation.ownershipTransferred",
      user: mia.id,
      detail: { from: olga.id },
    })
  })

  test("asks for a fresh proof, and for a member who can sign in and is no owner", async () => {
    expect(await refused(transfer(olga, olga.id), 409)).toBe("conflict")
    await query("UPDATE users SET disabledAt = '2026-01-01T00:00:00.000Z' WHERE id = ?", [mia.id])
    expect(await refused(transfer(olga, mia.id), 409)).toBe("conflict")
    await query("UPDATE users SET disabledAt = NULL WHERE id = ?", [mia.id])
    await query("UPDATE sessions SET authenticatedAt = '2026-11-01T00:00:00.000Z' WHERE user = ?", [
      olga.id,
    ])
    await refresh(olga)
    expect(await refused(transfer(olga, mia.id), 401)).toBe("step_up_required")
  })

  test("to two members at once makes one owner", async () => {
    const ned = await person(`ned-${n}`)
    await join(ned, club, "member")
    const answers = await Promise.all([transfer(olga, mia.id), transfer(olga, ned.id)])
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 401])
    const left = await query(
      "SELECT user FROM organisation_members WHERE organisation = ? AND roles LIKE '%owner%'",
      [club],
    )
    expect(left).toHaveLength(1)
  })
})

describe("what would lift somebody above their standing", () => {
  test("an invitation to another address of one's own, sent before being removed, is void", async () => {
    const ada = await person(`ada-${n}`)
    await join(ada, club, "admin")
    for (const lowered of [false, true]) {
      const { id } = await read<{ id: string }>(
        invite(ada, club, `second-${lowered}-${n}@example.test`, "admin"),
        201,
      )
      await read(
        lowered ? remove(olga, ada.id) : setRoles(olga, ada.id, ["guest"]),
        lowered ? 204 : 200,
      )
      const [row] = await query("SELECT revokedAt FROM invitations WHERE id = ?", [id])
      expect(row?.revokedAt).not.toBeNull()
      await join(ada, club, "admin")
      await refresh(ada)
    }
  })

  test.each([
    ["no roles", []],
    ["an unknown role", ["emperor"]],
    ["a role of the deployment", ["administrator"]],
    ["a name from a prototype", ["constructor"]],
    ["a role in other letters", ["Owner"]],
  ])("%s are refused, from whomever", async (_, roles) => {
    expect(await refused(setRoles(olga, mia.id, roles), 400)).toBe("invalid_input")
    expect(await refused(invite(olga, club, "x@example.test", ...roles), 400)).toBe("invalid_input")
    expect(await rolesIn(club, mia.id)).toEqual(["member"])
  })
})
