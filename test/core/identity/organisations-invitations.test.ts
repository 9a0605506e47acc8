import { beforeEach, expect, test } from "vitest"
import { call, costOf } from "../../support/people.ts"
import {
  accept,
  auditOf,
  invite,
  join,
  type Member,
  mailedToken,
  organisationOf,
  path,
  person,
  query,
  read,
  refresh,
  refused,
  rolesIn,
} from "./organisation-cast.ts"

let n = 0
let olga: Member
let ivy: Member
let eve: Member
let club: string
beforeEach(async () => {
  n++
  olga = await person(`olga-${n}`)
  ivy = await person(`ivy-${n}`)
  eve = await person(`eve-${n}`)
  club = await organisationOf(olga, "Club “No. 7”")
})

/** Invited, with the token that their mail carries. */
async function invited(email: string, ...roles: string[]): Promise<string> {
  await read(invite(olga, club, email, ...roles), 201)
  return mailedToken(email)
}

test("an invitation goes out by mail, and makes whoever has the address a member", async () => {
  const answer = await invite(olga, club, ` ${ivy.email.toUpperCase()}`, "member", "herald")
  expect(costOf(answer).trips).toBe(2)
  const invitation = await read<{ id: string; createdAt: string; expiresAt: string }>(answer, 201)
  expect(invitation).toEqual({
    id: expect.any(String),
    email: ivy.email.toUpperCase(),
    roles: ["herald", "member"],
    invitedBy: olga.id,
    createdAt: expect.any(String),
    expiresAt: expect.any(String),
  })
  expect(Date.parse(invitation.expiresAt) - Date.parse(invitation.createdAt)).toBe(7 * 86_400_000)
  const [mail] = await query("SELECT * FROM mails WHERE organisation = ?", [club])
  expect(mail).toMatchObject({
    template: "organisation-invitation",
    subject: "Invitation to “Club “No. 7””",
    address: ivy.email.toUpperCase(),
  })
  const token = await mailedToken(ivy.email.toUpperCase())
  expect(token).toMatch(/^hiv_[\w-]{43}$/)
  const stored = JSON.stringify([
    await query("SELECT * FROM invitations"),
    await query("SELECT * FROM audit_events"),
  ])
  expect(stored).not.toContain(token)

  const [before] = await query("SELECT emailVerifiedAt FROM users WHERE id = ?", [ivy.id])
  expect(before?.emailVerifiedAt).toBeNull()
  const accepted = await accept(ivy, token)
  expect(costOf(accepted).trips).toBe(2)
  expect(await read(accepted, 201)).toMatchObject({ id: club, roles: ["herald", "member"] })
  const [after] = await query("SELECT emailVerifiedAt FROM users WHERE id = ?", [ivy.id])
  expect(after?.emailVerifiedAt).not.toBeNull()
  expect(await refused(call(ivy, "GET", path(club)), 401)).toBe("token_outdated")
  await refresh(ivy)
  expect((await read(call(ivy, "GET", path(club)), 200)).roles).toEqual(["herald", "member"])
  expect((await auditOf(club)).slice(1)).toMatchObject([
    { kind: "invitation.created", actor: olga.id, detail: { invitation: invitation.id } },
    { kind: "member.added", user: ivy.id, actor: ivy.id, detail: { invitation: invitation.id } },
  ])
  expect(JSON.stringify(await auditOf(club))).not.toContain("@")
})

test("a link works once", async () => {
  const token = await invited(ivy.email, "member")
  await read(accept(ivy, token), 201)
  await refresh(ivy)
  expect(await refused(accept(ivy, token), 401)).toBe("code_invalid")
  await call(ivy, "DELETE", path(club, `/members/${ivy.id}`))
  await refresh(ivy)
  expect(await refused(accept(ivy, token), 401)).toBe("code_invalid")
})

test("of ten acceptances at once one counts", async () => {
  const token = await invited(ivy.email, "member")
  const answers = await Promise.all(Array.from({ length: 10 }, () => accept(ivy, token)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(401)])
  expect(
    await query(
      "SELECT count(*) AS n FROM audit_events WHERE kind = 'member.added' AND organisation = ?",
      [club],
    ),
  ).toEqual([{ n: 1 }])
})

test("a link is of no use to another account, and is not used up by the attempt", async () => {
  const token = await invited(ivy.email, "admin")
  expect(await refused(accept(eve, token), 403)).toBe("forbidden")
  expect(await rolesIn(club, eve.id)).toBeNull()
  await read(accept(ivy, token), 201)
})

test("a link is void after seven days, when it is taken back, and when another follows it", async () => {
  const expired = await invited(ivy.email, "member")
  await query("UPDATE invitations SET expiresAt = '2026-01-01T00:00:00.000Z'")
  expect(await refused(accept(ivy, expired), 401)).toBe("code_invalid")

  const { id } = await read<{ id: string }>(invite(olga, club, ivy.email, "member"), 201)
  const revoked = await mailedToken(ivy.email)
  const address = path(club, `/invitations/${id}`)
  expect((await call(olga, "DELETE", address)).status).toBe(204)
  expect((await call(olga, "DELETE", address)).status).toBe(204)
  expect(await refused(accept(ivy, revoked), 401)).toBe("code_invalid")

  const first = await invited(ivy.email, "admin")
  // Another spelling of the same address.
  const second = await invited(ivy.email.toUpperCase(), "guest")
  expect(await refused(accept(ivy, first), 401)).toBe("code_invalid")
  await read(accept(ivy, second), 201)
  expect(await rolesIn(club, ivy.id)).toEqual(["guest"])
})

test("what was accepted cannot be taken back", async () => {
  const { id } = await read<{ id: string }>(invite(olga, club, ivy.email, "member"), 201)
  await read(accept(ivy, await mailedToken(ivy.email)), 201)
  expect(await refused(call(olga, "DELETE", path(club, `/invitations/${id}`)), 409)).toBe(
    "conflict",
  )
})

test.each(["", "hiv_", "hiv_x", "x".repeat(43), "' OR 1=1 --", "hrt_abc"])(
  "%j is no invitation",
  async (token) => {
    expect(await refused(accept(eve, token), 401)).toBe("code_invalid")
  },
)

test("an invitation is answered alike whether the address has an account, belongs to a member, or to nobody", async () => {
  await join(ivy, club, "member")
  const seen = new Set<string>()
  for (const email of [ivy.email, eve.email, `nobody-${n}@example.test`]) {
    const {
      id,
      createdAt,
      expiresAt,
      email: _,
      ...rest
    } = await read(invite(olga, club, email, "member"), 201)
    expect(id && createdAt && expiresAt).toBeTruthy()
    seen.add(JSON.stringify(rest))
  }
  expect(seen.size).toBe(1)
  expect(await refused(accept(ivy, await mailedToken(ivy.email)), 409)).toBe("conflict")
})

test("open ones are listed, and no others", async () => {
  await invited(ivy.email, "member")
  const gone = await read<{ id: string }>(invite(olga, club, eve.email, "guest"), 201)
  await call(olga, "DELETE", path(club, `/invitations/${gone.id}`))
  const late = await read<{ id: string }>(
    invite(olga, club, `late-${n}@example.test`, "guest"),
    201,
  )
  await query("UPDATE invitations SET expiresAt = '2026-01-01T00:00:00.000Z' WHERE id = ?", [
    late.id,
  ])
  const { items } = await read<{ items: { email: string }[] }>(
    call(olga, "GET", path(club, "/invitations")),
    200,
  )
  expect(items.map(({ email }) => email)).toEqual([ivy.email])
  expect(JSON.stringify(items)).not.toMatch(/hash|hiv_/)
})

test("an invitation of one organisation cannot be taken back through another", async () => {
  const { id } = await read<{ id: string }>(invite(olga, club, ivy.email, "member"), 201)
  const other = await organisationOf(eve)
  expect(await refused(call(eve, "DELETE", path(other, `/invitations/${id}`)), 404)).toBe(
    "not_found",
  )
  expect(await refused(call(eve, "DELETE", path(club, `/invitations/${id}`)), 404)).toBe(
    "not_found",
  )
})

test("only addresses of allowed domains are invited, and only they may accept", async () => {
  const token = await invited(ivy.email, "member")
  const policy = { allowedDomains: ["Film.Example"] }
  await read(call(olga, "PATCH", path(club), { policy }), 200)
  for (const email of [
    "a@example.test",
    "a@sub.film.example",
    "a@film.example.evil.test",
    "film.example@evil.test",
    "a@evilfilm.example",
  ]) {
    const { errors } = await read<{ errors: object[] }>(invite(olga, club, email, "member"), 400)
    expect(errors).toMatchObject([{ path: "email", code: "domain_not_allowed" }])
  }
  await read(invite(olga, club, "a@FILM.example", "member"), 201)
  expect(await refused(accept(ivy, token), 403)).toBe("forbidden")
})

test("an organisation sends a hundred invitations a day, counted exactly, revoked ones too", async () => {
  const at = new Date().toISOString()
  for (let i = 0; i < 95; i++) {
    await query(
      "INSERT INTO invitations (id, organisation, email, emailNormalised, roles, hash, invitedBy, createdAt, expiresAt, revokedAt) VALUES (?1, ?2, '', '', '[]', ?1, '', ?3, ?3, ?3)",
      [`${club}-${i}`, club, at],
    )
  }
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => invite(olga, club, `many-${i}@example.test`, "guest")),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([
    ...Array(5).fill(201),
    ...Array(5).fill(429),
  ])
})

test("an invitation speaks the language of whoever sends it", async () => {
  await query("UPDATE users SET locale = 'de-AT' WHERE id = ?", [olga.id])
  await read(invite(olga, club, ivy.email, "member"), 201)
  const [mail] = await query("SELECT subject, locale FROM mails WHERE organisation = ?", [club])
  expect(mail).toEqual({ subject: "Einladung zu „Club “No. 7”“", locale: "de" })
})
