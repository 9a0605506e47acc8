import { env, exports } from "cloudflare:workers"
import { expect } from "vitest"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { sweepFiles } from "../../../src/core/files/sweep.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import type { Sql } from "../../../src/platform/sql.ts"
import { fixtures } from "../../support/collections.ts"
import { fetchFrom } from "../../support/deployment.ts"
import { call, type Person } from "../../support/people.ts"
import { toolApp } from "../records/workshop.ts"

/* Files, sent and read over HTTP. */

export type Content = string | Uint8Array<ArrayBuffer>

export const bytesOf = (content: Content): Uint8Array<ArrayBuffer> =>
  typeof content === "string" ? new TextEncoder().encode(content) : content

/** With the length that the content has, unless told otherwise; that of a stream has to be told. */
const sending = (
  as: Person | null,
  content: Content | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
  query = "",
): Request => {
  const body = content instanceof ReadableStream ? content : bytesOf(content)
  return new Request(`http://127.0.0.1/files${query}`, {
    method: "POST",
    headers: {
      ...(as && { authorization: `Bearer ${as.token}` }),
      ...("byteLength" in body && { "content-length": String(body.byteLength) }),
      ...headers,
    },
    body,
  })
}

/** Sends the content as it is. */
export const send = (...file: Parameters<typeof sending>): Promise<Response> =>
  exports.default.fetch(sending(...file))

/** To that deployment. */
export const sendTo = (
  deployment: object,
  ...file: Parameters<typeof sending>
): Promise<Response> => fetchFrom(deployment, sending(...file))

export const boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

/** Texts are sent as they stand. */
export const join = (...pieces: Content[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(pieces.flatMap((piece) => [...bytesOf(piece)]))

export const fileHead = (disposition = 'name="file"; filename="poster.txt"', type = "text/plain") =>
  `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`

export const formEnd = `\r\n--${boundary}--\r\n`

/** A form with one file, as browsers write it. */
export const formOf = (content: Content, disposition?: string, type?: string) =>
  join(fileHead(disposition, type), content, formEnd)

/** As browsers write the name of a file. */
export const quotedName = (name: string): string =>
  name.replace(/["\r\n]/g, (character) => encodeURIComponent(character))

/** The same by a form. */
export const uploadForm = async (
  as: Person,
  content: Content,
  name: string,
  type: string,
): Promise<StoredFile> =>
  read<StoredFile>(
    send(as, formOf(content, `name="file"; filename="${quotedName(name)}"`, type), {
      "content-type": `multipart/form-data; boundary=${boundary}`,
    }),
    201,
  )

/** As much of a picture, three by four, as tells what it is. */
export function png(as: Person, query = "", sizeBytes = 40): Promise<StoredFile> {
  const content = new Uint8Array(sizeBytes)
  content.set([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52])
  content.set([0, 0, 0, 3, 0, 0, 0, 4], 16)
  return upload(as, content, {}, query)
}

/** What became of it. */
export const upload = async (
  as: Person,
  content: Content,
  headers: Record<string, string> = {},
  query = "",
): Promise<StoredFile> => read<StoredFile>(send(as, content, headers, query), 201)

export const fetchFile = (
  as: Person | null,
  id: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Response> => call(as, method, `/files/${id}`, undefined, headers)

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

/** The content as bytes, of an answer that must have that status. */
export async function contentOf(
  answer: Response | Promise<Response>,
  status = 200,
): Promise<Uint8Array> {
  const response = await answer
  const bytes = new Uint8Array(await response.arrayBuffer())
  expect(response.status, new TextDecoder().decode(bytes.subarray(0, 300))).toBe(status)
  return bytes
}

export const sha256Of = async (content: Content): Promise<string> =>
  [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytesOf(content)))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("")

/** Ids of the content that R2 holds. */
export const kept = async (): Promise<string[]> =>
  (await env.BLOBS.list({ prefix: "files/" })).objects.map(({ key }) => key.slice(6)).sort()

export async function query(statement: string, ...params: unknown[]) {
  const { results } = await env.DB.prepare(statement)
    .bind(...params)
    .all()
  return results
}

/** What counts for quotas. */
export const usageOf = async (holder: string) =>
  (await query("SELECT bytes, files FROM file_usage WHERE holder = ?", holder))[0] ?? {
    bytes: 0,
    files: 0,
  }

const collections = linkCollections(fixtures)

/** What the schedule does, as if it were then. Notes what it asks of the database. */
export async function sweepAt(milliseconds: number, asked: Sql[] = []): Promise<void> {
  const app = toolApp("main", () => milliseconds)
  const all: typeof app.db.all = (statement) => {
    asked.push(statement)
    return app.db.all(statement)
  }
  await sweepFiles({ ...app, db: { ...app.db, all } }, collections)
}
