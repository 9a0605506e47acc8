import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Collection } from "../../core/records/collection.ts"
import { type LinkedCollections, linkCollections } from "../../core/records/link.ts"
import type { Cast } from "../../core/records/personas.ts"
import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import { findDemo } from "../demo.ts"
import { localDatabaseIds, toolApp } from "../dev-database.ts"
import { withLocalD1 } from "../migrations/local-d1.ts"
import { copyDatabase, localFile } from "../migrations/local-files.ts"
import { applyMigrations, listMigrations } from "../migrations.ts"
import { generateSecrets } from "../secrets.ts"
import { addSample, sampleCast } from "./sample.ts"

/** Data to ask questions of, and nobody else's: what is done to it is gone afterwards. */
export interface World {
  readonly app: App
  readonly collections: LinkedCollections
  readonly cast: Cast
  /** Where the data come from, in a sentence, and what could not be made. */
  readonly source: string
}

/** A moment that does not pass, so that two runs agree. */
const stopped = Date.parse("2026-01-01T00:00:00Z")

/** The demo's data and a sample of records: the same for everybody who has the same code. */
export const inSampleWorld = <Result>(
  definitions: readonly Collection[],
  work: (world: World) => Promise<Result>,
): Promise<Result> =>
  inTemporary((directory) =>
    withLocalD1(directory, "DB", async (database) => {
      await applyMigrations(database, listMigrations())
      const collections = linkCollections(definitions)
      const app = Object.create(toolApp({ DB: database }, generateSecrets()), {
        now: { value: () => stopped },
      }) as App
      await (await findDemo())?.loadDemo(app, collections)
      const untold = await addSample(app, collections)
      const source = ["Over the demo's data and a sample of records.", ...untold].join("\n# ")
      return work({ app, collections, cast: sampleCast, source })
    }),
  )

/** A copy of the data in STATE_DIR. @throws {Error} where there is none yet. */
export async function inLocalData<Result>(
  definitions: readonly Collection[],
  work: (world: World) => Promise<Result>,
): Promise<Result> {
  const { DB = { id: "DB" } } = localDatabaseIds()
  const file = localFile(process.env.STATE_DIR || ".wrangler/state", DB.id)
  if (!existsSync(file)) throw new Error("There is no local data yet: start npm run dev once.")
  const collections = linkCollections(definitions)
  return inTemporary(async (directory) => {
    await copyDatabase(file, localFile(directory, "DB"))
    return withLocalD1(directory, "DB", async (database) => {
      const app = toolApp({ DB: database }, generateSecrets())
      const cast = await castOf(app, collections)
      return work({ app, collections, cast, source: "Over the local data." })
    })
  })
}

/** Whoever most records point at is the owner; the organisation is the one with most members. */
async function castOf(app: App, collections: LinkedCollections): Promise<Cast> {
  const owners = new Map<string, number>()
  for (const { name, fields, sqlView } of collections.values()) {
    if (sqlView !== null) continue
    for (const field of fields.values()) {
      if (field.kind !== "relation" || field.target?.name !== "members") continue
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
  const organisations = await app.db.all(
    sql`SELECT organisation, count(*) AS n FROM member_organisations GROUP BY 1 ORDER BY n DESC LIMIT 2`,
  )
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
  const directory = mkdtempSync(join(tmpdir(), "world-"))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
