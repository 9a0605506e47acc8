import { createHash, createHmac } from "node:crypto"

/*
 * Addresses by which whoever has them may do one thing at an S3 for a while: Signature Version 4 in the query. Pure: no I/O,
 * no clock.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */

export interface Presigning {
  readonly method: "PUT" | "GET"
  /** Without a query. */
  readonly url: string
  /** By lower-case name: the request has to have each of them, as it is here. */
  readonly headers: Readonly<Record<string, string>>
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** A week at most. */
  readonly expiresSeconds: number
}

/** The address with its signature. The body is not signed, but for what `headers` say of it. */
export function presign(presigning: Presigning): string {
  const { method, headers, region, accessKeyId, secretAccessKey, now, expiresSeconds } = presigning
  const url = new URL(presigning.url)
  const at = `${new Date(now).toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`
  const scope = `${at.slice(0, 8)}/${region}/s3/aws4_request`
  const signed = Object.entries({ ...headers, host: url.host }).sort(([a], [b]) => (a < b ? -1 : 1))
  const names = signed.map(([name]) => name).join(";")
  // In the order of their names, as they are signed.
  const query = [
    ["X-Amz-Algorithm", algorithm],
    ["X-Amz-Credential", `${accessKeyId}/${scope}`],
    ["X-Amz-Date", at],
    ["X-Amz-Expires", String(expiresSeconds)],
    ["X-Amz-SignedHeaders", names],
  ]
    .map(([name, value]) => `${name}=${encode(value as string)}`)
    .join("&")
  const path = url.pathname
    .split("/")
    .map((part) => encode(decodeURIComponent(part)))
    .join("/")
  const lines = signed.map(([name, value]) => `${name}:${value.trim()}\n`).join("")
  const request = [method, path, query, lines, names, "UNSIGNED-PAYLOAD"].join("\n")
  const text = [algorithm, at, scope, sha256(request)].join("\n")
  const key = [...scope.split("/")].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  return `${url.origin}${path}?${query}&X-Amz-Signature=${hmac(key, text).toString("hex")}`
}

const algorithm = "AWS4-HMAC-SHA256"

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest()

/** RFC 3986: `encodeURIComponent` leaves more alone. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
