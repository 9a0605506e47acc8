import { Buffer } from "node:buffer"
import type Argon2 from "@phi-ag/argon2"

/*
 * Argon2id at 19 MiB, 2 passes, 1 lane: OWASP's choice, about 20 ms. The Argon2 instance is an argument, because the
 * Worker and Node load the wasm in different ways (argon2.ts; `@phi-ag/argon2/node`). No wasm import here, so that tools
 * can make hashes too.
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
 */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1, hashLength: 32 }

/** A PHC string with a fresh salt of 16 bytes. */
export const hashPassword = (argon2: Argon2, password: string): string =>
  argon2.hash(prepare(password), cost).encoded

/**
 * Whether `password` is the one behind `phc`. Null (no such account, or one without a password) takes as long as a
 * wrong password, and is false. The comparison inside argon2_verify takes constant time.
 */
export function verifyPassword(argon2: Argon2, phc: string | null, password: string): boolean {
  const matches = argon2.tryVerify(phc ?? nobodysHash, prepare(password)).success
  return phc !== null && matches
}

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
