import { Buffer } from "node:buffer"
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"

/*
 * Links by which anybody reads one file for a while: `/files/<id>?link=<key>.<database>.<expiry>.<mac>`. The MAC covers the
 * method, the database, the file and the expiry, so a link is good for nothing else; nothing of it is stored. The key's id
 * says with which secret it was signed, so that links outlive a change of the secret, and no longer than that is wanted.
 */

/** The link's own part of the address of a file in the database of `app`. */
export function signFileLink(app: App, id: string, expiresAt: number): string {
  const key = keyOf(app.settings.secret)
  const expiry = Math.floor(expiresAt / 1_000)
  return `${key.id}.${app.db.name}.${expiry}.${macOf(key, app.db.name, id, expiry)}`
}

/**
 * The name of the database in which the file lies.
 *
 * @throws {Problem} `code_invalid` for whatever is not a link to this file that was made here and has not expired; which of
 * these it is, is not told.
 */
export function verifyFileLink(app: App, id: string, link: string): string {
  const [keyId = "", database = "", expiry = "", mac = ""] = link.split(".")
  const key = keysOf(app.settings).find((one) => one.id === keyId)
  const isGood =
    key !== undefined &&
    /^[1-9]\d{0,11}$/.test(expiry) &&
    link === `${keyId}.${database}.${expiry}.${mac}` &&
    isSame(mac, macOf(key, database, id, Number(expiry))) &&
    app.now() < Number(expiry) * 1_000
  if (!isGood) throw new Problem("code_invalid")
  return database
}

interface Key {
  readonly id: string
  readonly bytes: Buffer
}

const keysOf = ({ secret, formerSecret }: Settings): readonly Key[] =>
  [secret, formerSecret].flatMap((one) => (one === null ? [] : [keyOf(one)]))

/** A key of its own, so that nothing else that is signed with the secret is ever taken for a link. */
function keyOf(secret: string): Key {
  const bytes = createHmac("sha256", secret).update("file links").digest()
  return { id: createHash("sha256").update(bytes).digest("hex").slice(0, 8), bytes }
}

/** Of reading alone: `GET`, and what `HEAD` tells of it. */
const macOf = (key: Key, database: string, id: string, expiry: number): string =>
  createHmac("sha256", key.bytes).update(`GET\n${database}\n${id}\n${expiry}`).digest("base64url")

function isSame(presented: string, expected: string): boolean {
  const [a, b] = [Buffer.from(presented), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
