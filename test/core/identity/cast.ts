import { createExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { expect } from "vitest"
import { accountRoutes } from "../../../src/core/identity/account-routes.ts"
import { loadArgon2 } from "../../../src/core/identity/argon2.ts"
import { authenticate } from "../../../src/core/identity/authenticate.ts"
import { assertEpoch, epochProbe, epochRefusal } from "../../../src/core/identity/epoch.ts"
import { hashPassword } from "../../../src/core/identity/passwords.ts"
import { identityRoutes } from "../../../src/core/identity/routes.ts"
import type { Tokens } from "../../../src/core/identity/sessions.ts"
import { createFirstAdministrator } from "../../../src/core/identity/users.ts"
import { type App, createApp } from "../../../src/platform/app.ts"
import type { Row } from "../../../src/platform/database.ts"
import { createHttp, settingsOf } from "../../../src/platform/http.ts"
import { type Sql, sql } from "../../../src/platform/sql.ts"

/** The bindings, as a plain object: tests spread it to vary a variable. */
export const bindings: Cloudflare.Env = { ...env }

/** Identity's routes, and one route that reads and one that writes as the records do. */
export const http = createHttp(authenticate)
  .route("/", identityRoutes)
  .route(
    "/",
    accountRoutes({
      ownRecords: async function* () {},
      deleteOwnRecords: async () => ({ deleted: 0, kept: 0, next: null }),
    }),
  )
  .get("/probe", async (c) => {
    const actor = c.get("actor")
    if (actor.kind === "user") {
      const [rows] = await c.get("app").db.batch([epochProbe(actor)])
      assertEpoch(actor, rows)
    }
    return c.json(actor)
  })
  .post("/probe", async (c) => {
    const rows = await c.get("app").db.all(sql`SELECT ${epochRefusal(c.get("actor"))} AS refused`)
    return c.json({ ...rows[0], actor: c.get("actor") })
  })

export const origin = "https://hinterland.test"
export const password = "correct horse battery"

export interface Call {
  method?: string
  body?: unknown
  token?: string
  headers?: Record<string, string>
  env?: object
}

/** One request to the routes. With a body it is a POST, unless a method says otherwise. */
export async function call(path: string, options: Call = {}): Promise<Response> {
  const { body, token, headers = {} } = options
  const method = options.method ?? (body === undefined ? "GET" : "POST")
  const request = new Request(new URL(path, origin), {
    method,
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  })
  return http.fetch(request, (options.env ?? bindings) as Env, createExecutionContext())
}

/** The body of an answer that must have that status. */
export async function json<Body = Record<string, unknown>>(
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
  (await json<{ code: string }>(answer, status)).code

export interface SignedIn extends Tokens {
  user: { id: string; email: string; name: string | null; roles: string[]; createdAt: string }
}

export const signUp = (name: string) =>
  json<SignedIn["user"]>(
    call("/auth/users", { body: { email: `${name}@example.com`, password, name } }),
    201,
  )

export const signIn = (name: string, options: Call = {}) =>
  json<SignedIn>(
    call("/auth/sessions", { ...options, body: { email: `${name}@example.com`, password } }),
    201,
  )

/** A new person with a session. */
export async function signedIn(name: string): Promise<SignedIn> {
  await signUp(name)
  return signIn(name)
}

export const refreshed = (refreshToken: string) =>
  json<Tokens>(call("/auth/tokens", { body: { refreshToken } }), 200)

/** Root, an administrator. */
export async function firstAdministrator(): Promise<SignedIn> {
  const passwordHash = hashPassword(loadArgon2(), password)
  await createFirstAdministrator(toolApp(), { email: "root@example.com", passwordHash, name: null })
  return signIn("root")
}

/** An app as a command-line tool would make it. */
export const toolApp = (bound: object = bindings): App =>
  createApp({
    env: bound,
    settings: settingsOf(bound),
    requestId: "tool",
    database: "main",
    bookmark: null,
    waitUntil: () => {},
  })

export const query = async (statement: Sql, database: D1Database = bindings.DB): Promise<Row[]> => {
  const { results } = await database
    .prepare(statement.text)
    .bind(...statement.params)
    .all<Row>()
  return results
}

/** The claims of a token, unproved. */
export const claimsOf = (token: string) =>
  JSON.parse(atob((token.split(".")[1] as string).replaceAll("-", "+").replaceAll("_", "/")))

export const trips = (answer: Response): string | undefined =>
  /trips;desc="(\d+)"/.exec(answer.headers.get("server-timing") ?? "")?.[1]
