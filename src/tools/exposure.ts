import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { linkOrganisationRoles } from "../core/identity/organisation-roles.ts"
import type { Collection } from "../core/records/collection.ts"
import { type LinkedCollections, linkCollections } from "../core/records/link.ts"
import type { App } from "../platform/app.ts"
import { sql } from "../platform/sql.ts"
import { findDemo } from "./demo.ts"
import { localDatabaseIds, toolApp } from "./dev-database.ts"
import { measureExposure } from "./exposure/measure.ts"
import { type Cast, personasOf } from "./exposure/personas.ts"
import { addSample, sampleCast } from "./exposure/sample.ts"
import { exposureText } from "./exposure/text.ts"
import { loadCollections } from "./migrations/load.ts"
import { withLocalD1 } from "./migrations/local-d1.ts"
import { copyDatabase, localFile } from "./migrations/local-files.ts"
import { applyMigrations, listMigrations } from "./migrations.ts"
import { generateSecrets } from "./secrets.ts"

/*
 * `npm run exposure`: writes down who reaches what, over the demo's data and a sample of records. `-- --check` only says
 * whether the file is as the rules are now; `-- --data` prints the same of the local data (STATE_DIR), and writes nothing.
 */

export const exposureFile = "src/app/exposure.txt"

/** A moment that does not pass, so that two runs agree. */
const stopped = Date.parse("2026-01-01T00:00:00Z")

/** What the file should say; null for an app without collections. */
export async function exposureOf(definitions: readonly Collection[]): Promise<string | null> {
  if (definitions.length === 0) return null
  const collections = linkCollections(definitions)
  return inTemporary(async (directory) =>
    withLocalD1(directory, "DB", async (database) => {
      await applyMigrations(database, listMigrations())
      const app = Object.create(toolApp({ DB: database }, generateSecrets()), {
        now: { value: () => stopped },
      }) as App
      await (await findDemo())?.loadDemo(app, collections)
      const untold = await addSample(app, collections)
      const source = ["Over the demo's data and a sample of records.", ...untold].join("\n# ")
      return report(app, collections, sampleCast, source)
    }),
  )
}

async function report(app: App, collections: LinkedCollections, cast: Cast, source: string) {
  const personas = personasOf(collections, new Set(linkOrganisationRoles().keys()), cast)
  const exposures = await measureExposure(app, collections, personas)
  return exposureText(personas, exposures, source)
}

/** The same over the data of a state directory, on a copy. */
async function exposureOfData(definitions: readonly Collection[]): Promise<string> {
  const collections = linkCollections(definitions)
  const { DB = { id: "DB" } } = localDatabaseIds()
  const file = localFile(process.env.STATE_DIR || ".wrangler/state", DB.id)
  if (!existsSync(file)) throw new Error("There is no local data yet: start npm run dev once.")
  return inTemporary(async (directory) => {
    await copyDatabase(file, localFile(directory, "DB"))
    return withLocalD1(directory, "DB", async (database) => {
      const app = toolApp({ DB: database }, generateSecrets())
      return report(app, collections, await castOf(app, collections), "Over the local data.")
    })
  })
}

/** Whoever most records point at is the owner; the organisation is the one with most members. */
async function castOf(app: App, collections: LinkedCollections): Promise<Cast> {
  const owners = new Map<string, number>()
  for (const { name, fields } of collections.values()) {
    for (const field of fields.values()) {
      if (field.kind !== "relation" || !field.target?.builtIn) continue
      const rows = await app.db.all({
        text: `SELECT "${field.name}" AS id, count(*) AS n FROM "${name}" WHERE "${field.name}" IS NOT NULL GROUP BY 1`,
        params: [],
      })
      for (const { id, n } of rows) {
        owners.set(String(id), (owners.get(String(id)) ?? 0) + Number(n))
      }
    }
  }
  const [most] = [...owners].sort(([, a], [, b]) => b - a)
  const organisations = await app.db.all({
    text: "SELECT organisation, count(*) AS n FROM member_organisations GROUP BY 1 ORDER BY n DESC LIMIT 2",
    params: [],
  })
  const none = [sampleCast.organisation, sampleCast.otherOrganisation]
  const organisationAt = (n: number) => String(organisations[n]?.organisation ?? none[n])
  const memberOf = async (n: number) => {
    const [found] = await app.db.all(
      sql`SELECT member FROM member_organisations WHERE organisation = ${organisationAt(n)} LIMIT 1`,
    )
    return String(found?.member ?? sampleCast.member)
  }
  return {
    owner: most?.[0] ?? sampleCast.owner,
    ...{ stranger: sampleCast.stranger, member: await memberOf(0), outsider: await memberOf(1) },
    organisation: organisationAt(0),
    otherOrganisation: organisationAt(1),
  }
}

async function inTemporary<Result>(work: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "exposure-"))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
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
    console.log(await exposureOfData(collections))
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
