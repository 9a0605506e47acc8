import type { Exposure } from "../../core/records/exposure.ts"
import type { Persona } from "../../core/records/personas.ts"

/** What a persona reaches of one of the collections. */
export type ExposureOf = Exposure & { readonly collection: string }

/** One line for each collection, action and persona, so that a change of rules is a change of lines. */
export function exposureText(
  personas: readonly Persona[],
  exposures: readonly ExposureOf[],
  source: string,
): string {
  const width = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length))
  const who = width(personas.map(({ name }) => name))
  const what = width(exposures.map(({ collection }) => collection))
  const lines = exposures.map(({ collection, action, persona, rows, of, without }, i) => {
    const before = exposures[i - 1]
    const gap = before && (before.collection !== collection || before.action !== action) ? "\n" : ""
    const hidden = without.map((field) =>
      field.rows === rows ? field.field : `${field.field} (of ${field.rows})`,
    )
    const but = hidden.length > 0 ? `, without ${hidden.join(", ")}` : ""
    return `${gap}${collection.padEnd(what)} ${action.padEnd(6)} ${persona.name.padEnd(who)} ${amount(rows, of)}${but}`
  })
  return [
    "# Who reaches what: written by `npm run exposure`, never by hand. A change of rules shows here as a diff.",
    `# ${source}`,
    "# create: how many of these records they could have made as they are. update: how many they may save.",
    "#",
    ...personas.map(({ name, description }) => `# ${name.padEnd(who)} ${description}`),
    "",
    ...lines,
    "",
  ].join("\n")
}

const amount = (rows: number, of: number): string =>
  rows === 0 ? "-" : rows === of ? `all ${of}` : `${rows} of ${of}`
