import { env, exports } from "cloudflare:workers"

/** The cast of the tests. Each test file has databases of its own, so each signs its people up anew. */
export interface Person {
  readonly id: string
  readonly email: string
  readonly token: string
}

const password = "correct horse battery staple"

/** `as` null is anonymous. */
export const requestOf = (
  as: Person | null,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Request =>
  new Request(`http://127.0.0.1${path}`, {
    method,
    headers: {
      ...(as && { authorization: `Bearer ${as.token}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: isBody(body) ? body : JSON.stringify(body) }),
  })

/** Speaks HTTP to the real worker. */
export const call = (...said: Parameters<typeof requestOf>): Promise<Response> =>
  exports.default.fetch(requestOf(...said))

const isBody = (body: unknown): body is BodyInit =>
  typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream

/** Signed up, with the roles given, and signed in. */
export async function signedIn(name: string, roles: readonly string[] = []): Promise<Person> {
  const email = `${name}@example.test`
  const created = await call(null, "POST", "/auth/users", { email, password, name })
  if (created.status !== 201) throw new Error(`sign-up: ${created.status} ${await created.text()}`)
  if (roles.length) {
    const json = JSON.stringify(roles)
    await env.DB.batch([
      env.DB.prepare("UPDATE users SET roles = ? WHERE email = ?").bind(json, email),
      env.DB.prepare(
        "UPDATE members SET roles = ? WHERE id = (SELECT id FROM users WHERE email = ?)",
      ).bind(json, email),
    ])
  }
  return signIn(email)
}

export async function signIn(email: string): Promise<Person> {
  const session = await call(null, "POST", "/auth/sessions", { email, password })
  if (session.status !== 201) throw new Error(`sign-in: ${session.status} ${await session.text()}`)
  const { user, accessToken } = (await session.json()) as {
    user: { id: string }
    accessToken: string
  }
  return { id: user.id, email, token: accessToken }
}

/** The figures of Server-Timing: what a request cost. */
export function costOf(response: Response): {
  trips: number
  rowsRead: number
  rowsWritten: number
} {
  const header = response.headers.get("server-timing") ?? ""
  const figure = (name: string) =>
    Number(new RegExp(`${name};desc="(\\d+)"`).exec(header)?.[1] ?? Number.NaN)
  return {
    trips: figure("trips"),
    rowsRead: figure("rows-read"),
    rowsWritten: figure("rows-written"),
  }
}
