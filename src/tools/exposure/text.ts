import type { Exposure } from "./measure.ts"
import type { Persona } from "./personas.ts"

/** One line for each collection, action and persona, so that a change of rules is a change of lines. */
export function exposureText(
  personas: readonly Persona[],
  exposures: readonly Exposure[],
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
    return `${gap}${collection.padEnd(what)} ${action.padEnd(6)} ${persona.padEnd(who)} ${amount(rows, of)}${but}`
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
