/**
 * `npm run migrate:check`: applies what is pending to a copy of the data, and says what would become of it. Fails when
 * anything would go that nobody has said may go. See `migrations/rehearsal.ts`.
 */
import { checkDatabases } from "./migrations/command.ts"

process.exitCode = await checkDatabases(process.argv.slice(2))
