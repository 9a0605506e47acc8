import { fileURLToPath } from "node:url"
import { collections } from "../app/collections.ts"
import { jobs, schedules } from "../app/jobs.ts"
import { linkJobs } from "../core/jobs/registry.ts"
import type { Reach } from "../core/records/reach.ts"
import { findUnlisted } from "./migrations/listing.ts"
import { checkSchema, listMigrations } from "./migrations.ts"

/**
 * What is wrong between the collections, the code that defines them, and the migrations, each with its mend.
 *
 * @throws {DefinitionError} when a definition itself is wrong.
 */
export function checkDefinitions(): string[] {
  // Zones are not looked at when the Worker starts, so they are here.
  for (const { cron } of linkJobs<Reach>(jobs, schedules).schedules) cron()
  return [...findUnlisted("src/app", collections), ...checkSchema(collections, listMigrations())]
}

/** As a program: prints what is wrong, for `npm run dev` when a definition was saved. */
function main(): number {
  try {
    const problems = checkDefinitions()
    for (const problem of problems) console.error(problem)
    return problems.length > 0 ? 1 : 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main()
