import { exports } from "cloudflare:workers"
import { expect } from "vitest"
import type { Person } from "../../support/people.ts"
import { bytesOf, type Content } from "./cast.ts"

/* Uploads over HTTP, as a client of tus sends them. */

export const chunk = "application/offset+octet-stream"

export type Headers = Record<string, string>

/** The request as it is; the version is said unless told otherwise. */
export const tus = (
  as: Person | null,
  method: string,
  path: string,
  headers: Headers = {},
  body?: Content | ReadableStream<Uint8Array>,
): Request =>
  new Request(`http://127.0.0.1/files/uploads${path}`, {
    method,
    headers: {
      "tus-resumable": "1.0.0",
      ...(as && { authorization: `Bearer ${as.token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: body instanceof ReadableStream ? body : bytesOf(body) }),
  })

export const ask = (...parameters: Parameters<typeof tus>): Promise<Response> =>
  exports.default.fetch(tus(...parameters))

/** Begins an upload of that length. Answers its id. */
export async function begin(as: Person, length: number, metadata = ""): Promise<string> {
  const answer = await ask(as, "POST", "", {
    "upload-length": String(length),
    ...(metadata && { "upload-metadata": metadata }),
  })
  expect(answer.status, await answer.clone().text()).toBe(201)
  return idIn(answer)
}

export const idIn = (answer: Response): string =>
  (answer.headers.get("location") as string).split("/").at(-1) as string

export const append = (
  as: Person | null,
  id: string,
  offset: number,
  body: Content | ReadableStream<Uint8Array>,
  headers: Headers = {},
): Promise<Response> =>
  ask(
    as,
    "PATCH",
    `/${id}`,
    { "content-type": chunk, "upload-offset": `${offset}`, ...headers },
    body,
  )

/** Where it goes on, as HEAD tells it. */
export async function offsetOf(as: Person, id: string): Promise<number> {
  const answer = await ask(as, "HEAD", `/${id}`)
  expect(answer.status).toBe(200)
  return Number(answer.headers.get("upload-offset"))
}

export const metadataOf = (said: Headers): string =>
  Object.entries(said)
    .map(([key, value]) => `${key} ${btoa(value)}`)
    .join(",")

/** Bytes of which each says where it is. */
export const countedBytes = (size: number): Uint8Array<ArrayBuffer> => {
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let i = 0; i < words.length; i++) words[i] = i
  return new Uint8Array(words.buffer).slice(0, size)
}
