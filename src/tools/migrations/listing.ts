import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/**
 * Collections that are defined beside `collections.ts` and not listed in it: the commonest slip, which would else look
 * like a collection that does not exist. Read from the text, because importing would run hooks and pages too.
 */
export function findUnlisted(
  directory: string,
  listed: readonly { readonly name: string }[],
): string[] {
  const names = new Set(listed.map(({ name }) => name))
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .sort()
    .flatMap((file) =>
      definedIn(readFileSync(join(directory, file), "utf8"))
        .filter((name) => !names.has(name))
        .map(
          (name) =>
            `${join(directory, file)} defines the collection "${name}", which is not listed in ${join(directory, "collections.ts")}: import it there and add it to the list.`,
        ),
    )
}

const definition =
  /^export (?:const|let|default)\b[^\n]*\bcollection(?:<[^(]*>)?\(\s*["'`](\w+)["'`]/gm

const definedIn = (text: string): string[] =>
  [...text.matchAll(definition)].map(([, name = ""]) => name)
