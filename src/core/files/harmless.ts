import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"
import type { StoredFile } from "./files.ts"

/**
 * Before any content of a file is given out, in whatever shape.
 *
 * @throws {Problem} `file_infected`; `file_unscanned` while nobody has looked yet, and of what the scanner would not look at,
 * where the deployment waits for that
 */
export function assertHarmless({ files }: Settings, { scan }: Pick<StoredFile, "scan">): void {
  if (scan === "infected") throw new Problem("file_infected")
  if (!files.heldUntilScanned) return
  if (scan === "unknown") {
    throw new Problem("file_unscanned", "The malware scanner would not look at it, nor will it.")
  }
  if (scan === "pending") {
    throw new Problem("file_unscanned", { headers: { "retry-after": "5" } })
  }
}
