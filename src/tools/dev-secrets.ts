import { existsSync } from "node:fs"
import { mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { parseEnv } from "node:util"
import { generateSecrets, type Secrets } from "./secrets.ts"

export interface DevelopmentSecrets {
  /** An env file for `wrangler dev --env-file`, so that no secret stands on a command line. */
  readonly file: string
  readonly secrets: Secrets
}

/** The secrets of this state directory, made once: sessions and cursors outlive a restart. */
export async function loadDevelopmentSecrets(stateDirectory: string): Promise<DevelopmentSecrets> {
  const file = join(stateDirectory, "development.env")
  if (!existsSync(file)) {
    await mkdir(stateDirectory, { recursive: true })
    const { SECRET, SIGNING_KEYS } = generateSecrets()
    const text = `ENVIRONMENT='development'\nSECRET='${SECRET}'\nSIGNING_KEYS='${SIGNING_KEYS}'\n`
    // Written whole or not at all: a process that dies here leaves no half of a key.
    const draft = `${file}.${process.pid}`
    await writeFile(draft, text, { mode: 0o600 })
    await rename(draft, file)
  }
  const { SECRET = "", SIGNING_KEYS = "" } = parseEnv(await readFile(file, "utf8"))
  return { file, secrets: { SECRET, SIGNING_KEYS } }
}
