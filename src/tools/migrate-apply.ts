/**
 * `npm run migrate:apply`: the same check, then the migrations, then the comparison with before, and how to go back.
 * See `migrations/migrate-local.ts` and `migrations/migrate-remote.ts`.
 */
import { applyToDatabases } from "./migrations/command.ts"

process.exitCode = await applyToDatabases(process.argv.slice(2))
