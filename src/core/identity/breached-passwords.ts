import { Buffer } from "node:buffer"
import { brotliDecompressSync } from "node:zlib"
import { invalidInput } from "../../platform/problem.ts"

/*
 * Passwords that guessers try first (NIST SP 800-63B, 3.1.1.2). The list comes along, so that no password, nor a part of
 * its hash, leaves the deployment. Half a megabyte of memory, taken with the first password that is chosen, not at start-up.
 */
let common: Promise<ReadonlySet<string>> | undefined

async function load(): Promise<ReadonlySet<string>> {
  const { packedPasswords } = await import("./common-passwords.ts")
  const lines = brotliDecompressSync(Buffer.from(packedPasswords, "base64")).toString().split("\n")
  const found = new Set<string>()
  let before = ""
  for (const line of lines) {
    before = before.slice(0, Number.parseInt(line.charAt(0), 36)) + line.slice(1)
    found.add(before)
  }
  return found
}

/** Whether it is among the ten thousand most common ones; capitals make no difference to a guesser. */
export async function isBreached(password: string): Promise<boolean> {
  common ??= load()
  return (await common).has(password.normalize("NFC").toLowerCase())
}

/** @throws {Problem} `invalid_input` with the code `breached_password` */
export async function assertNotBreached(password: string): Promise<void> {
  if (!(await isBreached(password))) return
  const message = "This password is one of those that are tried first: choose another."
  throw invalidInput({ path: "password", code: "breached_password", message })
}
