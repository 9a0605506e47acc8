import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { schemaObjects } from "../../src/core/records/ddl.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import { bundleWorker } from "../../src/tools/bundle.ts"
import { startBundles } from "../../src/tools/bundle-runtime.ts"
import { loadDevelopmentSecrets } from "../../src/tools/dev-secrets.ts"
import { applyMigrations, listMigrations } from "../../src/tools/migrations.ts"
import { crashCollections } from "./crash-collections.ts"

/*
 * A server in a process of its own, so that a test can kill it: `node crash-server.ts <state directory> <bundle>`.
 * Prints where it answers. With the bundle absent, makes one and prints where it lies.
 */
const [stateDirectory = "", bundleDirectory] = process.argv.slice(2)

if (bundleDirectory === undefined) {
  const bundle = await bundleWorker(
    "test/support/crash-worker.ts",
    await mkdtemp(join(tmpdir(), "crash-")),
  )
  console.log(JSON.stringify(bundle))
} else {
  const { secrets } = await loadDevelopmentSecrets(stateDirectory)
  const server = await startBundles(
    {
      main: {
        bundle: JSON.parse(bundleDirectory),
        variables: { ...secrets, ENVIRONMENT: "development" },
      },
    },
    { stateDirectory },
  )
  const database = server.bindings.DB as D1Database
  const core = listMigrations().filter(({ name }) => name.includes("_core_"))
  await applyMigrations(database, core)
  const present = await database
    .prepare("SELECT 1 FROM sqlite_master WHERE name = 'errands'")
    .first()
  if (!present) {
    const objects = schemaObjects(linkCollections(crashCollections).values())
    await database.batch(objects.map(({ sql }) => database.prepare(sql)))
  }
  console.log(server.urls.main)
}
