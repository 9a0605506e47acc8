import { Buffer } from "node:buffer"
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"

/*
 * Positions in the log of one database, as callers hold them. They are sealed (AES-256-GCM), each time anew: a plain
 * `seq` would tell how much is written by everybody, hidden or not, and an equal one that nothing was.
 */

const nonceBytes = 12
const tagBytes = 16
const algorithm = "aes-256-gcm"

/** @param purpose what the position is for: one of another purpose or database does not open */
export function sealPosition({ db, settings }: App, purpose: string, seq: number): string {
  const nonce = crypto.getRandomValues(Buffer.alloc(nonceBytes))
  const cipher = createCipheriv(algorithm, keyOf(settings.secret), nonce)
  cipher.setAAD(Buffer.from(`${db.name} ${purpose}`))
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(BigInt(seq))
  const sealed = Buffer.concat([cipher.update(number), cipher.final()])
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString("base64url")
}

/** @throws {Problem} `invalid_cursor`, about the query parameter `name`, or what else stands at `path` */
export function openPosition(
  { db, settings }: App,
  purpose: string,
  text: string,
  name: string,
  path = `query.${name}`,
): number {
  const bytes = Buffer.from(text, "base64url")
  try {
    if (bytes.length !== nonceBytes + 8 + tagBytes) throw new Error("no position")
    const nonce = bytes.subarray(0, nonceBytes)
    const decipher = createDecipheriv(algorithm, keyOf(settings.secret), nonce)
    decipher.setAAD(Buffer.from(`${db.name} ${purpose}`))
    decipher.setAuthTag(bytes.subarray(-tagBytes))
    const opened = decipher.update(bytes.subarray(nonceBytes, -tagBytes))
    return Number(Buffer.concat([opened, decipher.final()]).readBigUInt64BE())
  } catch {
    const message = `${name} was not made here, or for something else: start again without it.`
    const errors = [{ path, code: "invalid_cursor", message }]
    throw new Problem("invalid_cursor", { detail: message, errors })
  }
}

let derived: { secret: string; key: Buffer } | undefined

/** Derived once an isolate: the secret changes only with a new one. */
function keyOf(secret: string): Buffer {
  if (derived?.secret !== secret) {
    const material = hkdfSync("sha256", secret, "", "hinterland log positions v1", 32)
    derived = { secret, key: Buffer.from(material) }
  }
  return derived.key
}
