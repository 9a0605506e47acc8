import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { linkOrganisationRoles } from "../core/identity/organisation-roles.ts"
import type { Collection } from "../core/records/collection.ts"
import { measureExposure } from "../core/records/exposure.ts"
import type { LinkedCollections } from "../core/records/link.ts"
import { type Persona, personasOf } from "../core/records/personas.ts"
import type { App } from "../platform/app.ts"
import { type ExposureOf, exposureText } from "./exposure/text.ts"
import { inLocalData, inSampleWorld, type World } from "./exposure/world.ts"
import { loadCollections } from "./migrations/load.ts"

/*
 * `npm run exposure`: writes down who reaches what, over the demo's data and a sample of records. `-- --check` only says
 * whether the file is as the rules are now; `-- --data` prints the same of the local data (STATE_DIR), and writes nothing.
 */

export const exposureFile = "src/app/exposure.txt"

/** What the file should say; null for an app without collections. */
export const exposureOf = async (definitions: readonly Collection[]): Promise<string | null> =>
  definitions.length === 0 ? null : inSampleWorld(definitions, report)

async function report({ app, collections, cast, source }: World): Promise<string> {
  const personas = personasOf(collections, new Set(linkOrganisationRoles().keys()), cast)
  return exposureText(personas, await measureAll(app, collections, personas), source)
}

/** Of all collections, one after the other. */
export async function measureAll(
  app: App,
  collections: LinkedCollections,
  personas: readonly Persona[],
): Promise<ExposureOf[]> {
  const exposures: ExposureOf[] = []
  for (const collection of collections.values()) {
    const measured = await measureExposure(app, collections, collection, personas)
    exposures.push(...measured.map((one) => ({ ...one, collection: collection.name })))
  }
  return exposures
}

/** Why the file is not what it should be, with the command that mends it; null when it is. */
export function staleExposure(text: string | null): string | null {
  const now = existsSync(exposureFile) ? readFileSync(exposureFile, "utf8") : null
  if (now === text) return null
  return `${exposureFile} does not say what the rules say now: run "npm run exposure", and read the diff.`
}

async function main(parameters: readonly string[]): Promise<number> {
  const collections = await loadCollections("src/app/collections.ts")
  if (parameters.includes("--data")) {
    console.log(await inLocalData(collections, report))
    return 0
  }
  const text = await exposureOf(collections)
  const stale = staleExposure(text)
  if (parameters.includes("--check")) {
    if (stale) console.error(stale)
    return stale ? 1 : 0
  }
  if (text === null) rmSync(exposureFile, { force: true })
  else writeFileSync(exposureFile, text)
  console.log(text ?? "There are no collections yet.")
  console.error(
    stale
      ? `Written to ${exposureFile}: git diff shows who gained or lost what.`
      : `${exposureFile} is as it was.`,
  )
  return 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2))
}
