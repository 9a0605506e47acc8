import { beforeAll, expect, test, vi } from "vitest"
import { codeAt, stepAt } from "../../../src/core/identity/totp.ts"
import { fromBase32 } from "../../support/base32.ts"
import { call, type Person } from "../../support/people.ts"
import { issue, withKey } from "./api-key-cast.ts"
import {
  type Member,
  organisationOf,
  path,
  person,
  query,
  read,
  refused,
  renewed,
} from "./organisation-cast.ts"

/* What organisations, second factors, API keys and account flows are to each other. */

beforeAll(() => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  vi.spyOn(console, "warn").mockImplementation(() => {})
})

const codeOf = (secret: Uint8Array, steps = 0): string => codeAt(secret, stepAt(Date.now()) + steps)

/** An authenticator, confirmed with the code of the step before. */
async function withAuthenticator(member: Member): Promise<Uint8Array> {
  const started = await read<{ id: string; secret: string }>(
    call(member, "POST", "/auth/authenticators", { name: "Phone" }),
    201,
  )
  const secret = fromBase32(started.secret)
  const body = { code: codeOf(secret, -1) }
  await read(call(member, "POST", `/auth/authenticators/${started.id}/confirmations`, body), 201)
  return secret
}

const newestMail = async (where: string, ...params: unknown[]): Promise<string> =>
  String((await query(`SELECT text FROM mails WHERE ${where} ORDER BY id DESC`, params))[0]?.text)

const verify = (member: Person) =>
  query("UPDATE users SET emailVerifiedAt = createdAt WHERE id = ?", [member.id])

test("a mailed code is a first factor: it asks for the second, and is used up by that", async () => {
  const member = await person("mailed")
  const secret = await withAuthenticator(member)
  const { email } = member
  await query("UPDATE users SET emailVerifiedAt = createdAt WHERE id = ?", [member.id])
  await read(call(null, "POST", "/auth/mail-codes", { email }), 202)
  const text = await newestMail("recipient = ? AND template = 'account.sign-in-code'", member.id)
  const code = /^\s*(\d{6})\s*$/m.exec(text)?.[1]
  const token = /#(hat_[\w-]{43})/.exec(text)?.[1]
  const asked = await read<{ code: string; challenge: string }>(
    call(null, "POST", "/auth/sessions", { email, code }),
    401,
  )
  expect(asked.code).toBe("second_factor_required")
  for (const again of [{ email, code }, { token }]) {
    expect(await refused(call(null, "POST", "/auth/sessions", again), 401)).toBe("code_invalid")
  }
  const { challenge } = asked
  const answer = { challenge, code: codeOf(secret) }
  const session = await read<{ accessToken: string; user: { emailVerifiedAt: string | null } }>(
    call(null, "POST", "/auth/sessions", answer),
    201,
  )
  expect(session.user.emailVerifiedAt).not.toBeNull()
})

test("whoever signed up with an address and could not read its mail is out when its reader comes", async () => {
  const stranger = await person("planted")
  await withAuthenticator(stranger)
  const { email } = stranger
  await read(call(null, "POST", "/auth/mail-codes", { email }), 202)
  const text = await newestMail("recipient = ? AND template = 'account.sign-in-code'", stranger.id)
  const code = /^\s*(\d{6})\s*$/m.exec(text)?.[1]
  await read(call(null, "POST", "/auth/sessions", { email, code }), 201)
  expect(await query("SELECT 1 FROM authenticators WHERE user = ?", [stranger.id])).toEqual([])
  const password = "correct horse battery staple"
  expect(await refused(call(null, "POST", "/auth/sessions", { email, password }), 401)).toBe(
    "invalid_credentials",
  )
  expect(await refused(call(stranger, "GET", "/auth/me"), 401)).toBe("token_outdated")
})

test("the last owner of an organisation deletes it before their account", async () => {
  const owner = await person("founder")
  const organisation = await organisationOf(owner)
  const invited = { email: "guest@example.test", roles: ["member"] }
  await read(call(owner, "POST", path(organisation, "/invitations"), invited), 201)
  expect(await refused(call(owner, "DELETE", "/auth/me"), 409)).toBe("conflict")
  const heir = await person("heir")
  await query("INSERT INTO organisation_members VALUES (?, ?, '[\"owner\"]', ?)", [
    organisation,
    heir.id,
    new Date().toISOString(),
  ])
  await read(call(owner, "DELETE", "/auth/me"), 204)
  expect(
    await query("SELECT 1 FROM member_organisations WHERE member = ?", [owner.id]),
  ).toHaveLength(0)
  expect(
    await query("SELECT 1 FROM invitations WHERE organisation = ? AND revokedAt IS NULL", [
      organisation,
    ]),
  ).toHaveLength(0)
})

test("an owner can be disabled all the same, and what they promised is void", async () => {
  const admin = await person("admin", ["administrator"])
  const owner = await person("abuser")
  const organisation = await organisationOf(owner)
  const invited = { email: "prey@example.test", roles: ["member"] }
  await read(call(owner, "POST", path(organisation, "/invitations"), invited), 201)
  await read(call(admin, "PATCH", `/auth/users/${owner.id}`, { disabled: true }), 200)
  const left = await query("SELECT revokedAt FROM invitations WHERE organisation = ?", [
    organisation,
  ])
  expect(left.map(({ revokedAt }) => revokedAt !== null)).toEqual([true])
})

test("whoever takes an account back by its old address is rid of the thief's keys and factors", async () => {
  const thief = await person("robbed")
  await verify(thief)
  const key = withKey(await issue(thief, ["*:*"]))
  expect((await call(key, "GET", "/records/articles")).status).toBe(200)
  const fresh = await renewed(thief)
  await read(call(fresh, "POST", "/auth/email-changes", { email: "robber@example.test" }), 202)
  const text = await newestMail(
    "address = ? AND template = 'account.address-is-changing'",
    thief.email,
  )
  const token = /#(hat_[\w-]{43})/.exec(text)?.[1]
  await withAuthenticator(fresh)
  await read(call(null, "POST", "/auth/email-changes/undos", { token }), 204)
  expect(await refused(call(key, "GET", "/records/articles"), 401)).toBe("token_invalid")
  expect(await query("SELECT 1 FROM authenticators WHERE user = ?", [thief.id])).toHaveLength(0)
  expect(await query("SELECT 1 FROM recovery_codes WHERE user = ?", [thief.id])).toHaveLength(0)
})

test("every route of accounts is closed to keys, an administrator's too", async () => {
  const admin = await person("keyed", ["administrator"])
  const key = withKey(await issue(admin, ["*:*"]))
  const document = await read<{ paths: Record<string, Record<string, { security?: object[] }>> }>(
    call(admin, "GET", "/openapi.json"),
    200,
  )
  const open: string[] = []
  let asked = 0
  for (const [template, operations] of Object.entries(document.paths)) {
    if (!template.startsWith("/auth/")) continue
    const address = template.replace(/\{\w+\}/g, crypto.randomUUID())
    for (const [method, { security }] of Object.entries(operations)) {
      if (!security?.length || security.some((one) => Object.keys(one).length === 0)) continue
      asked++
      const answer = await call(
        key,
        method.toUpperCase(),
        address,
        method === "get" ? undefined : {},
      )
      if (answer.status !== 403) open.push(`${method} ${template}: ${answer.status}`)
    }
  }
  expect(open).toEqual([])
  expect(asked).toBeGreaterThan(40)
})
