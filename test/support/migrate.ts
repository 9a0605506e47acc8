import { applyD1Migrations } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { schemaObjects } from "../../src/core/records/ddl.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import { fixtures } from "./collections.ts"

/** Core migrations, then the tables of the fixtures as a migration would make them, in both databases. */
const core = env.TEST_MIGRATIONS.filter(({ name }) => name.includes("_core_"))
const objects = schemaObjects(linkCollections(fixtures).values()).map(({ sql }) => sql)
for (const database of [env.DB, env.DB_SECOND]) {
  await applyD1Migrations(database, core)
  await applyD1Migrations(database, [{ name: "fixtures", queries: objects }])
}
