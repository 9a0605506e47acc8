import { env } from "cloudflare:workers"
import { expect } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"

/* Organisations, spoken of over HTTP to the real worker. */

const password = "correct horse battery staple"

/** Someone whose tokens can be outdated, and refreshed. */
export interface Member extends Person {
  token: string
  refreshToken: string
}

/** A new person, signed in. Names are of one test file. */
export const person = async (name: string, roles: readonly string[] = []): Promise<Member> =>
  renewed(await signedIn(name, roles))

/** Signed in anew, in an object of its own. */
export async function renewed({ id, email }: Person): Promise<Member> {
  const answer = await call(null, "POST", "/auth/sessions", { email, password })
  const { accessToken, refreshToken } = await read<Tokens>(answer, 201)
  return { id, email, token: accessToken, refreshToken }
}

interface Tokens {
  accessToken: string
  refreshToken: string
}

/** Exchanges the refresh token, as a client does that is told that its token is outdated. */
export async function refresh(member: Member): Promise<void> {
  const { refreshToken } = member
  const tokens = await read<Tokens>(call(null, "POST", "/auth/tokens", { refreshToken }), 200)
  member.token = tokens.accessToken
  member.refreshToken = tokens.refreshToken
}

/** As if they had signed in with these methods. */
export async function proveBy(member: Member, ...methods: string[]): Promise<void> {
  await query("UPDATE sessions SET methods = ? WHERE id = ?", [
    JSON.stringify(methods),
    claimsOf(member.token).sid,
  ])
  await refresh(member)
}

/** The body of an answer that must have that status. */
export async function read<Body = Record<string, unknown>>(
  answer: Response | Promise<Response>,
  status: number,
): Promise<Body> {
  const response = await answer
  const text = await response.text()
  expect(response.status, text).toBe(status)
  return (text ? JSON.parse(text) : null) as Body
}

export const refused = async (answer: Response | Promise<Response>, status: number) =>
  (await read<{ code: string }>(answer, status)).code

export async function query(
  statement: string,
  params: unknown[] = [],
  database: D1Database = env.DB,
): Promise<Record<string, unknown>[]> {
  const { results } = await database
    .prepare(statement)
    .bind(...params)
    .all()
  return results
}

export const claimsOf = (token: string) =>
  JSON.parse(atob((token.split(".")[1] as string).replaceAll("-", "+").replaceAll("_", "/")))

export const path = (organisation: string, rest = "") =>
  `/auth/organisations/${organisation}${rest}`

/** A new organisation that `owner` owns, whose tokens know of it. */
export async function organisationOf(owner: Member, name = "Club"): Promise<string> {
  const { id } = await read<{ id: string }>(
    call(owner, "POST", "/auth/organisations", { name }),
    201,
  )
  await refresh(owner)
  return id
}

/** Joined by the hand of the database, so that a test need not go through an invitation. */
export async function join(member: Member, organisation: string, ...roles: string[]) {
  await query("INSERT OR REPLACE INTO organisation_members VALUES (?, ?, ?, ?)", [
    organisation,
    member.id,
    JSON.stringify(roles),
    new Date().toISOString(),
  ])
  await query("UPDATE users SET epoch = epoch + 1, version = version + 1 WHERE id = ?", [member.id])
  await refresh(member)
}

/** Lets the session act in the organisation, and its token with it. */
export async function switchTo(member: Member, organisation: string | null): Promise<void> {
  const answer = call(member, "PUT", "/auth/sessions/current/organisation", { organisation })
  member.token = (await read<{ accessToken: string }>(answer, 200)).accessToken
}

export const rolesIn = async (organisation: string, user: string): Promise<string[] | null> => {
  const [row] = await query(
    "SELECT roles FROM organisation_members WHERE organisation = ? AND user = ?",
    [organisation, user],
  )
  return row ? JSON.parse(row.roles as string) : null
}

/** Kinds of audit events of an organisation, the oldest first. */
export const auditOf = async (organisation: string) =>
  (
    await query(
      "SELECT kind, user, actor, network, detail FROM audit_events WHERE organisation = ? ORDER BY id",
      [organisation],
    )
  ).map((event) => ({ ...event, kind: event.kind, detail: JSON.parse(event.detail as string) }))

/** The token that the newest mail to that address carries. */
export async function mailedToken(address: string): Promise<string> {
  const [row] = await query("SELECT text FROM mails WHERE address = ? ORDER BY id DESC LIMIT 1", [
    address,
  ])
  return /#(hiv_[\w-]+)/.exec(String(row?.text))?.[1] ?? ""
}

export const invite = (as: Member, organisation: string, email: string, ...roles: string[]) =>
  call(as, "POST", path(organisation, "/invitations"), { email, roles })

export const accept = (as: Member, token: string) =>
  call(as, "POST", "/auth/invitations/acceptances", { token })
