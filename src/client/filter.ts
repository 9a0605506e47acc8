/** A condition in the server's expression language, made by `filter`. */
export interface Filter {
  readonly expression: string
  toString(): string
}

export type FilterValue = string | number | boolean | null | Date | Filter
type FilterOperand = FilterValue | readonly Exclude<FilterValue, Filter>[]

/**
 * Quotes every value, so that what people type is never read as an expression:
 * `` filter`title ~ ${text} && stars >= ${2} && genre in ${["Drama", "Comedy"]}` ``.
 * A filter within a filter is put in parentheses.
 *
 * @throws {TypeError} for values that the language has no words for: NaN, infinities, an empty list.
 */
export function filter(texts: TemplateStringsArray, ...values: readonly FilterOperand[]): Filter {
  let expression = texts[0] as string
  values.forEach((value, i) => {
    expression += operand(value) + texts[i + 1]
  })
  return { expression, toString: () => expression }
}

function operand(value: FilterOperand): string {
  if (!isList(value)) return literal(value)
  if (value.length === 0) throw new TypeError("filter: a list needs at least one value")
  return `(${value.map(literal).join(", ")})`
}

// Array.isArray does not narrow readonly arrays.
const isList = (value: FilterOperand): value is readonly Exclude<FilterValue, Filter>[] =>
  Array.isArray(value)

function literal(value: FilterValue): string {
  if (value === null || typeof value === "boolean") return String(value)
  if (typeof value === "string") return quote(value)
  if (value instanceof Date) return quote(value.toISOString())
  if (typeof value === "object") return `(${value.expression})`
  if (!Number.isFinite(value)) throw new TypeError(`filter: ${value} is not a value`)
  return String(value)
}

/** Quotes, backslashes and all control characters are escaped; the rest of Unicode stands for itself. */
const quote = (text: string): string =>
  `"${text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be escaped
    /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/g,
    (found) => {
      if (found === '"' || found === "\\") return `\\${found}`
      return `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`
    },
  )}"`
