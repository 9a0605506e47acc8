/**
 * `npm run migrate:new <name>`: writes the migration that the collections need. See `migrations/draft.ts`.
 */
import { createInterface } from "node:readline/promises"
import { parseArgs } from "node:util"
import { DefinitionError } from "../platform/definition-error.ts"
import { MigrationError } from "./migrations/files.ts"
import { findUnlisted } from "./migrations/listing.ts"
import { loadCollections } from "./migrations/load.ts"
import { writeNewMigration } from "./migrations/new-migration.ts"

const usage = `npm run migrate:new <name> [-- <answers>]
  --rename notes.body=text    the field has a new name
  --rename-table notes=memos  the collection has a new name
  --drop notes.body           the field may go, with its values
  --drop-table notes          the collection may go, with its records
  --rebuild notes             its table may be made anew
  --core                      for the project's own migrations`

const repeated = { type: "string", multiple: true, default: [] as string[] } as const

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rename: repeated,
      "rename-table": repeated,
      drop: repeated,
      "drop-table": repeated,
      rebuild: repeated,
      core: { type: "boolean", default: false },
    },
  })
  const [name, ...more] = positionals
  if (!name || more.length > 0) throw new MigrationError(usage)
  const collections = await loadCollections("src/app/collections.ts")
  const unlisted = findUnlisted("src/app", collections)
  if (unlisted.length > 0) throw new MigrationError(unlisted.join("\n"))
  const written = await writeNewMigration({
    collections,
    directory: "migrations",
    name,
    owner: values.core ? "core" : "app",
    answers: {
      rename: values.rename,
      renameTable: values["rename-table"],
      drop: values.drop,
      dropTable: values["drop-table"],
      rebuild: values.rebuild,
    },
    ask: process.stdin.isTTY && process.stdout.isTTY ? ask : null,
  })
  if (!written) {
    console.log("Nothing to do: the migrations lead to what the collections need.")
    return
  }
  console.log(`${written.path}\n${written.summary.map((line) => `  ${line}\n`).join("")}`)
  console.log(`Read it. "npm run dev" applies it here, "npm run deploy" there.`)
}

async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question(`${question} [y/N] `)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}

try {
  await main()
} catch (error) {
  const known = error instanceof MigrationError || error instanceof DefinitionError
  const badFlag =
    error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")
  if (!known && !badFlag) throw error
  console.error(badFlag ? `${error.message}\n\n${usage}` : error.message)
  process.exitCode = 1
}
