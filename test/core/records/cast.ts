import { env } from "cloudflare:workers"
import { expect } from "vitest"
import { call, type Person } from "../../support/people.ts"

/* What all tests of the records engine say often. */

export type Json = Record<string, unknown>
export type Stored = Json & { id: string; version: number }
export interface Page {
  items: Stored[]
  next: string | null
  count?: number
}
export interface Refused {
  status: number
  code: string
  detail: string
  errors?: { path: string; code: string; message: string }[]
}

/** The body of an answer that must have that status. */
export async function read<Body = Stored>(
  answer: Response | Promise<Response>,
  status: number,
): Promise<Body> {
  const response = await answer
  const text = await response.text()
  expect(response.status, text).toBe(status)
  return (text ? JSON.parse(text) : null) as Body
}

/** A refusal must be a problem with that status. */
export async function refused(
  answer: Response | Promise<Response>,
  status: number,
): Promise<Refused> {
  const response = await answer
  expect(response.headers.get("content-type")).toBe("application/problem+json")
  return read<Refused>(response, status)
}

export const create = (as: Person | null, collection: string, input: Json = {}) =>
  read<Stored>(call(as, "POST", `/records/${collection}`, input), 201)

export const get = (as: Person | null, collection: string, id: string, status = 200) =>
  read<Stored>(call(as, "GET", `/records/${collection}/${id}`), status)

export const patch = (as: Person | null, collection: string, id: string, input: Json) =>
  read<Stored>(call(as, "PATCH", `/records/${collection}/${id}`, input), 200)

export const listPath = (collection: string, parameters: Record<string, string> = {}): string => {
  const query = new URLSearchParams(parameters).toString()
  return `/records/${collection}${query && `?${query}`}`
}

export const list = (
  as: Person | null,
  collection: string,
  parameters: Record<string, string> = {},
) => read<Page>(call(as, "GET", listPath(collection, parameters)), 200)

export const ids = (page: Page): string[] => page.items.map((item) => item.id)

/** Looks into a database behind the engine's back. */
export const query = async (
  text: string,
  params: (string | number | null)[] = [],
  database: D1Database = env.DB,
): Promise<Json[]> =>
  (
    await database
      .prepare(text)
      .bind(...params)
      .all<Json>()
  ).results

export interface Line {
  id: string
  seq: number
  actor: string | null
  organisation: string | null
  subject: string
  record: string
  version: number
  kind: string
  authority: string
  requestId: string
  payload: string
}

/** The lines of the log about one record. */
export const linesOf = async (id: string, database: D1Database = env.DB): Promise<Line[]> =>
  (await query(
    "SELECT * FROM changes WHERE record = ? ORDER BY seq",
    [id],
    database,
  )) as unknown as Line[]

/** An id of nothing. */
export const nowhere = "00000000-0000-4000-8000-000000000000"
