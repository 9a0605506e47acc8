import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { collections } from "../app/collections.ts"
import { checkSchema, listMigrations } from "./migrations.ts"

/**
 * What is wrong between the collections, the code that defines them, and the migrations, each with its mend.
 *
 * @throws {DefinitionError} when a definition itself is wrong.
 */
export const checkDefinitions = (): string[] => [
  ...findUnlisted(),
  ...checkSchema(collections, listMigrations()),
]

/** A collection that nobody listed would be silently absent. */
function findUnlisted(): string[] {
  const listed = new Set<string>(collections.map(({ name }) => name))
  return readdirSync("src/app", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const text = readFileSync(`src/app/${file}`, "utf8")
      return [...text.matchAll(/\bcollection\(\s*["'](\w+)["']/g)]
        .map(([, name = ""]) => name)
        .filter((name) => !listed.has(name))
        .map(
          (name) =>
            `src/app/${file} defines the collection "${name}", but src/app/collections.ts does not list it: import it there and add it to the list.`,
        )
    })
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
