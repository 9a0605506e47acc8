/*
 * Filters as a list of conditions, written to and read from the expression language: `a = 1 && b ~ "x"`. What says more
 * than such a list is text, and stays so. No I/O.
 */

export const comparators = ["=", "!=", ">", ">=", "<", "<=", "~", "!~"] as const
export type Comparator = (typeof comparators)[number]

export interface Condition {
  readonly field: string
  readonly comparator: Comparator
  readonly value: string | number | boolean | null
}

export const writeConditions = (conditions: readonly Condition[]): string =>
  conditions
    .map(({ field, comparator, value }) => `${field} ${comparator} ${literal(value)}`)
    .join(" && ")

/** Null when the text is more than conditions that all hold. */
export function readConditions(text: string): Condition[] | null {
  const conditions: Condition[] = []
  let rest = text.trim()
  if (rest === "") return []
  for (;;) {
    const found = pattern.exec(rest)
    if (!found) return null
    const { field = "", comparator = "", value = "" } = found.groups ?? {}
    const read = readValue(value)
    if (read === undefined) return null
    conditions.push({ field, comparator: comparator as Comparator, value: read })
    rest = rest.slice(found[0].length).trim()
    if (rest === "") return conditions
    if (!rest.startsWith("&&")) return null
    rest = rest.slice(2).trim()
  }
}

const pattern =
  /^(?<field>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)\s*(?<comparator>!=|>=|<=|!~|=|>|<|~)\s*(?<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|true|false|null)(?![\w."'])/

const escapes: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "\n": "\\n" }

function literal(value: Condition["value"]): string {
  if (typeof value !== "string") return String(value)
  return `"${value.replace(/["\\\n]/g, (sign) => escapes[sign] as string)}"`
}

function readValue(text: string): Condition["value"] | undefined {
  if (text === "true" || text === "false") return text === "true"
  if (text === "null") return null
  if (!/^["']/.test(text)) return Number(text)
  let known = true
  const value = text.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, sign: string) => {
    if (sign === "n") return "\n"
    if (sign.startsWith("u") && sign.length === 5)
      return String.fromCharCode(Number.parseInt(sign.slice(1), 16))
    if (!`"'\\`.includes(sign)) known = false
    return sign
  })
  return known ? value : undefined
}
