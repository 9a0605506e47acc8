import { env } from "cloudflare:workers"
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { call, costOf } from "../../support/people.ts"
import {
  claimsOf,
  join,
  type Member,
  organisationOf,
  path,
  person,
  proveBy,
  query,
  read,
  refresh,
  refused,
  renewed,
  switchTo,
} from "./organisation-cast.ts"

let olga: Member
let mia: Member
let first: string
let second: string
beforeAll(async () => {
  olga = await person("olga")
  mia = await person("mia")
  first = await organisationOf(olga, "First")
  second = await organisationOf(olga, "Second")
  await join(mia, first, "member")
  await join(mia, second, "guest")
})
afterEach(() => {
  vi.useRealTimers()
})

const switching = (as: Member, organisation: unknown) =>
  call(as, "PUT", "/auth/sessions/current/organisation", { organisation })

describe("switching", () => {
  test("answers an access token of the other organisation, which the session keeps", async () => {
    const answer = await switching(mia, second)
    expect(costOf(answer).trips).toBe(2)
    expect(answer.headers.getSetCookie().join()).not.toMatch(/__Host-(?:access|refresh)/)
    const body = await read(answer, 200)
    // A refresh token for an access token would make 30 days of 15 minutes.
    expect(Object.keys(body)).toEqual(["accessToken", "expiresIn"])
    expect(claimsOf(body.accessToken as string)).toMatchObject({ org: second, roles: ["guest"] })
    await refresh(mia)
    expect(claimsOf(mia.token)).toMatchObject({ org: second, roles: ["guest"] })
    await switchTo(mia, first)
    expect(claimsOf(mia.token)).toMatchObject({ org: first, roles: ["member"] })
    await switchTo(mia, null)
    await refresh(mia)
    expect(claimsOf(mia.token)).toMatchObject({ org: null, roles: [] })
  })

  test("sets the cookie of whoever came by cookie alone", async () => {
    const url = "/auth/sessions/current/organisation"
    const body = { organisation: second }
    const cookie = { cookie: `__Host-access=${mia.token}`, "sec-fetch-site": "same-origin" }
    const answer = await call(null, "PUT", url, body, cookie)
    expect(answer.status).toBe(200)
    expect(answer.headers.getSetCookie().join()).toMatch(/__Host-access=ey/)
    expect(answer.headers.getSetCookie().join()).not.toContain("__Host-refresh")
    // With a token in the header the cookie may be another person's.
    const both = await call(mia, "PUT", url, body, cookie)
    expect(both.headers.getSetCookie().join()).not.toContain("__Host-access")
    await switchTo(mia, null)
  })

  test("leaves the other sessions as they are", async () => {
    const phone = await renewed(mia)
    await switchTo(mia, second)
    await refresh(phone)
    expect(claimsOf(phone.token).org).toBe(first)
  })

  test("is told in the audit log", async () => {
    await switchTo(mia, first)
    const told = await query(
      "SELECT kind, user, organisation, session FROM audit_events ORDER BY id DESC LIMIT 1",
    )
    expect(told).toEqual([
      {
        kind: "session.switched",
        user: mia.id,
        organisation: first,
        session: claimsOf(mia.token).sid,
      },
    ])
  })

  test("finds no organisation of others, and takes nothing but an id", async () => {
    const stranger = await person("stranger")
    for (const id of [first, crypto.randomUUID()]) {
      expect(await refused(switching(stranger, id), 404)).toBe("not_found")
    }
    for (const id of ["main", 7, {}, undefined, "' OR 1=1 --"]) {
      expect(await refused(switching(stranger, id), 400)).toBe("invalid_input")
    }
  })

  test("does not keep the old organisation's token alive beyond a sign-out, wherever its records lie", async () => {
    const far = crypto.randomUUID()
    await query(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, 'Far', 'second', '')",
      [far],
    )
    const traveller = await person("traveller")
    await join(traveller, far, "member")
    await switchTo(traveller, far)
    const there = { ...traveller }
    expect((await call(there, "GET", "/records/tickets")).status).toBe(200)
    await switchTo(traveller, null)
    expect((await call(traveller, "DELETE", "/auth/sessions/current")).status).toBe(204)
    expect(await refused(call(there, "GET", "/records/tickets"), 401)).toBe("token_outdated")
    expect(await query("SELECT session FROM session_revocations", [], env.DB_SECOND)).toHaveLength(
      1,
    )
  })
})

describe("a policy that asks for a second factor", () => {
  const demand = (as: Member, organisation: string, secondFactorRequired = true) =>
    call(as, "PATCH", path(organisation), { policy: { secondFactorRequired } })

  test("cannot be made by somebody whom it would lock out", async () => {
    const owner = await person("careless")
    const id = await organisationOf(owner)
    expect(await refused(demand(owner, id), 401)).toBe("second_factor_required")
    await proveBy(owner, "pwd", "otp")
    await read(demand(owner, id), 200)
  })

  test.each([
    [["pwd"], 401],
    [["mail"], 401],
    [["fed"], 401],
    [["pwd", "otp"], 200],
    [["hwk"], 200],
    [["pwd", "rcv"], 200],
  ])("gives a session of %j the answer %d", async (methods, status) => {
    const owner = await person(`owner-${methods.join("-")}`)
    const member = await person(`member-${methods.join("-")}`)
    const id = await organisationOf(owner)
    await join(member, id, "admin")
    await proveBy(owner, "hwk")
    await read(demand(owner, id), 200)
    await proveBy(member, ...methods)
    const answer = await switching(member, id)
    expect(answer.status).toBe(status)
    for (const rest of ["", "/members", "/invitations"]) {
      expect((await call(member, "GET", path(id, rest))).status).toBe(status)
    }
    if (status === 401) {
      expect(await refused(answer, 401)).toBe("second_factor_required")
      const invited = call(member, "POST", path(id, "/invitations"), {
        email: "a@b.test",
        roles: ["guest"],
      })
      expect(await refused(invited, 401)).toBe("second_factor_required")
      // Nobody is held against their will.
      expect((await call(member, "DELETE", path(id, `/members/${member.id}`))).status).toBe(204)
    }
  })

  test("takes the organisation from sessions that lack one at their next refresh, and gives it back", async () => {
    const owner = await person("strict")
    const member = await person("lax")
    const id = await organisationOf(owner)
    await join(member, id, "member")
    await switchTo(member, id)
    await proveBy(owner, "pwd", "otp")
    await read(demand(owner, id), 200)
    await refresh(member)
    expect(claimsOf(member.token)).toMatchObject({ org: null, roles: [] })
    // A sign-in with a password alone lands outside of it.
    expect(claimsOf((await renewed(member)).token).org).toBeNull()
    await proveBy(member, "pwd", "otp")
    expect(claimsOf(member.token).org).toBe(id)
    await read(demand(owner, id, false), 200)
    expect(claimsOf((await renewed(member)).token).org).toBe(id)
  })
})

describe("a policy of short sessions", () => {
  const shorten = (as: Member, organisation: string, sessionSeconds: number | null) =>
    read(call(as, "PATCH", path(organisation), { policy: { sessionSeconds } }), 200)
  const lifeOf = async (member: Member) => {
    const [row] = await query("SELECT authenticatedAt, expiresAt FROM sessions WHERE id = ?", [
      claimsOf(member.token).sid,
    ])
    return (
      (Date.parse(row?.expiresAt as string) - Date.parse(row?.authenticatedAt as string)) / 1_000
    )
  }

  test("ends them so long after the sign-in, however often they are refreshed", async () => {
    const owner = await person("brief")
    const id = await organisationOf(owner)
    await shorten(owner, id, 3_600)
    const session = await renewed(owner)
    expect(claimsOf(session.token).org).toBe(id)
    expect(await lifeOf(session)).toBe(3_600)
    const start = Date.now()
    vi.useFakeTimers({ toFake: ["Date"], now: start + 3_000_000 })
    await refresh(session)
    expect(await lifeOf(session)).toBe(3_600)
    vi.setSystemTime(start + 3_601_000)
    const late = call(null, "POST", "/auth/tokens", { refreshToken: session.refreshToken })
    expect(await refused(late, 401)).toBe("token_invalid")
  })

  test("holds for sessions that were longer, at their next refresh", async () => {
    const owner = await person("patient")
    const id = await organisationOf(owner)
    await switchTo(owner, id)
    await refresh(owner)
    expect(await lifeOf(owner)).toBeGreaterThan(29 * 86_400)
    await shorten(owner, id, 7_200)
    await refresh(owner)
    expect(await lifeOf(owner)).toBe(7_200)
    await shorten(owner, id, null)
    await refresh(owner)
    expect(await lifeOf(owner)).toBeGreaterThan(29 * 86_400)
  })

  test("asks for a new sign-in where a session has lived longer than the organisation allows", async () => {
    const owner = await person("old")
    const id = await organisationOf(owner)
    await shorten(owner, id, 900)
    await query("UPDATE sessions SET organisation = NULL, authenticatedAt = ? WHERE user = ?", [
      new Date(Date.now() - 901_000).toISOString(),
      owner.id,
    ])
    await refresh(owner)
    const { code, maxAge } = await read(switching(owner, id), 401)
    expect([code, maxAge]).toEqual(["step_up_required", 900])
  })
})
