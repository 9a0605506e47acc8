import { Buffer } from "node:buffer"
import { createHmac } from "node:crypto"
import type Argon2 from "@phi-ag/argon2"
import type { Pepper } from "../../platform/settings.ts"

/*
 * Argon2id at 19 MiB, 2 passes, 1 lane: OWASP's choice, about 20 ms. The Argon2 instance is an argument, because the
 * Worker and Node load the wasm in different ways (argon2.ts; `@phi-ag/argon2/node`). No wasm import here, so that tools
 * can make hashes too.
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
 */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1, hashLength: 32 }

/** How hashes of today begin, after their pepper. */
const today = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$`

/**
 * A PHC string with a fresh salt of 16 bytes; with a pepper, its version stands before: `pepper=2;$argon2id$…`.
 *
 * @param peppers the newest first
 */
export function hashPassword(
  argon2: Argon2,
  password: string,
  [pepper]: readonly Pepper[] = [],
): string {
  const { encoded } = argon2.hash(season(password, pepper), cost)
  return pepper ? `pepper=${pepper.version};${encoded}` : encoded
}

/**
 * Whether `password` is the one behind `stored`. Null (no such account, or one without a password) takes as long as a
 * wrong password, and is false; so is a hash whose pepper is gone. The comparison inside argon2_verify takes constant time.
 */
export function verifyPassword(
  argon2: Argon2,
  stored: string | null,
  password: string,
  peppers: readonly Pepper[] = [],
): boolean {
  const { version, phc } = parseStored(stored ?? nobodysHash)
  const pepper = peppers.find((one) => one.version === version)
  const known = stored !== null && (version === null || pepper !== undefined)
  const matches = argon2.tryVerify(known ? phc : nobodysHash, season(password, pepper)).success
  return known && matches
}

/** Whether a hash was made at another cost, or with another pepper, than one of today would be. */
export function isOutdatedHash(stored: string, [newest]: readonly Pepper[] = []): boolean {
  const { version, phc } = parseStored(stored)
  return version !== (newest?.version ?? null) || !phc.startsWith(today)
}

function parseStored(stored: string): { version: number | null; phc: string } {
  const [, version = null, phc = stored] = /^pepper=(\d+);(.*)$/.exec(stored) ?? []
  return { version: version === null ? null : Number(version), phc }
}

/** HMAC first, Argon2 then: whoever has the table but not the pepper has nothing to try passwords against. */
const season = (password: string, pepper: Pepper | undefined): string =>
  pepper
    ? createHmac("sha256", pepper.secret).update(password.normalize("NFC")).digest("base64")
    : prepare(password)

/** The hash of 32 random bytes that were thrown away, with the same cost as all others. */
const nobodysHash =
  "$argon2id$v=19$m=19456,t=2,p=1$SqGp0Ca/0NUskyHAgPQHSg$2Kd321O6bCdr7kd0wcuMlYbeCBTDF/Nhzbfvm/WluLw"

/**
 * NFC, so that a password is the same from every keyboard (RFC 8265); then NULs up to its length in bytes.
 *
 * The padding mends a flaw of @phi-ag/argon2 0.5.28: it hands the UTF-8 bytes to Argon2, but their number as counted in
 * UTF-16 units, so that only the first bytes of a password with letters beyond ASCII would count ("пароль12" would match
 * "пароXXXX"). The padding makes that number right and is itself cut off: the hash is the standard one of all bytes.
 */
function prepare(password: string): string {
  const normal = password.normalize("NFC")
  return normal.padEnd(Buffer.byteLength(normal), "\0")
}
