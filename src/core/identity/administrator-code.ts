import { Buffer } from "node:buffer"
import { createHash, timingSafeEqual } from "node:crypto"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"

/**
 * The code that the deployment printed once, and of which it keeps only the hash. It is random and long, so nothing
 * counts guesses.
 *
 * @throws {Problem} `not_found` where no code was set, as if the route did not exist; `forbidden` for a wrong one
 */
export function assertAdministratorCode(settings: Settings, code: string): void {
  const expected = Buffer.from(settings.adminCodeHash, "hex")
  if (expected.length !== 32) throw new Problem("not_found")
  const presented = createHash("sha256").update(code).digest()
  if (!timingSafeEqual(presented, expected)) throw new Problem("forbidden", "The code is wrong.")
}
