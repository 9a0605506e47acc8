import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const notCopied = new Set(["node_modules", ".git", ".wrangler", "dist"])

/** A copy of the project as it lies here, which shares its node_modules. */
export function copyProject(): { directory: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), "project-"))
  for (const name of readdirSync(".")) {
    if (!notCopied.has(name)) cpSync(name, join(directory, name), { recursive: true })
  }
  symlinkSync(resolve("node_modules"), join(directory, "node_modules"))
  return { directory, remove: () => rmSync(directory, { recursive: true, maxRetries: 5 }) }
}
