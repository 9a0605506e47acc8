import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Collection } from "../../core/records/collection.ts"

/**
 * What is defined beside `collections.ts` but not listed in it: the commonest slip, which would else look like a
 * collection that does not exist. Only files that define a collection are imported.
 */
export async function findUnlisted(
  directory: string,
  listed: readonly Collection[],
): Promise<string[]> {
  const problems: string[] = []
  for (const file of readdirSync(directory).sort()) {
    if (!file.endsWith(".ts") || file === "collections.ts") continue
    const path = join(directory, file)
    if (!/\bcollection\(/.test(readFileSync(path, "utf8"))) continue
    const exported = Object.values(await import(pathToFileURL(path).href)).filter(isCollection)
    for (const { name } of exported) {
      if (listed.some((collection) => collection.name === name)) continue
      problems.push(
        `${path} defines the collection "${name}", which is not listed in ${join(directory, "collections.ts")}.`,
      )
    }
  }
  return problems
}

function isCollection(value: unknown): value is Collection {
  if (typeof value !== "object" || value === null || !("name" in value) || !("options" in value)) return false
  const { options } = value
  return typeof options === "object" && options !== null && "fields" in options
}
