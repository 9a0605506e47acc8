import { env } from "cloudflare:workers"
import { expect } from "vitest"
import { call, type Person } from "../../support/people.ts"

/* What the tests of API keys say often. They speak to the whole worker: a key's work is with the records. */

export interface Issued {
  id: string
  key: string
  user: string
  organisation: string | null
  hint: string
  scopes: string[]
  expiresAt: string | null
  lastUsedAt: string | null
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

/** The code of a refusal. */
export const refusal = async (answer: Response | Promise<Response>, status: number) =>
  (await read<{ code: string }>(answer, status)).code

export const issue = (as: Person, scopes: string[], more: object = {}) =>
  read<Issued>(call(as, "POST", "/auth/api-keys", { name: "Program", scopes, ...more }), 201)

/** A caller that speaks with the key. */
export const withKey = (issued: Issued, holder: Pick<Person, "email"> = { email: "" }): Person => ({
  id: issued.user,
  email: holder.email,
  token: issued.key,
})

export const keyed = async (as: Person, scopes: string[], more: object = {}): Promise<Person> =>
  withKey(await issue(as, scopes, more), as)

/** An organisation whose records lie in that database, with members and their roles; sessions begin after it. */
export async function organisationOf(
  members: readonly (readonly [Person, readonly string[]])[],
  database: "main" | "second" = "main",
): Promise<string> {
  const id = crypto.randomUUID()
  const at = new Date().toISOString()
  await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, 'Org', ?, ?)",
    ).bind(id, database, at),
    ...members.flatMap(([person, roles]) => [
      env.DB.prepare("INSERT INTO organisation_members VALUES (?, ?, ?, ?)").bind(
        id,
        person.id,
        JSON.stringify(roles),
        at,
      ),
      env.DB.prepare("UPDATE users SET epoch = epoch + 1, version = version + 1 WHERE id = ?").bind(
        person.id,
      ),
    ]),
  ])
  return id
}

export const rows = async (text: string, ...params: unknown[]) =>
  (
    await env.DB.prepare(text)
      .bind(...params)
      .all<Record<string, unknown>>()
  ).results
