/**
 * SQL as values: a text with `?` placeholders and the parameters that belong to them, in order.
 * Fragments compose by nesting, so that no value ever reaches the text. No I/O.
 */
export interface Sql {
  readonly text: string
  readonly params: readonly SqlValue[]
}

/** What D1 binds. Booleans become 1 and 0; D1 binds every number as REAL (columns convert by affinity). */
export type SqlValue = string | number | null

const isSql = (value: unknown): value is Sql =>
  typeof value === "object" && value !== null && "text" in value && "params" in value

/** Template tag: nested fragments are spliced in, everything else is bound. */
export function sql(strings: TemplateStringsArray, ...values: (Sql | SqlValue | boolean)[]): Sql {
  let text = strings[0] ?? ""
  const params: SqlValue[] = []
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (isSql(value)) {
      text += value.text
      for (const param of value.params) params.push(param)
    } else {
      text += "?"
      params.push(typeof value === "boolean" ? (value ? 1 : 0) : (value ?? null))
    }
    text += strings[i + 1]
  }
  return { text, params }
}

/** Text from definitions only, never from a request. */
export const raw = (text: string): Sql => ({ text, params: [] })

/** A quoted identifier, from definitions only. */
export const identifier = (name: string): Sql => raw(`"${name.replaceAll('"', '""')}"`)

/** A string literal inside the text, for the places where SQLite takes no parameter (DDL, triggers). */
export const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`

export function join(parts: readonly Sql[], separator = ", "): Sql {
  const params: SqlValue[] = []
  for (const part of parts) for (const param of part.params) params.push(param)
  return { text: parts.map((part) => part.text).join(separator), params }
}

/** All of them; true when there are none. Balanced, because SQLite's expression depth ends at 100. */
export const allOf = (parts: readonly Sql[]): Sql => balanced(parts, " AND ", "1")

/** Any of them; false when there are none. Balanced like `allOf`. */
export const anyOf = (parts: readonly Sql[]): Sql => balanced(parts, " OR ", "0")

function balanced(parts: readonly Sql[], operator: string, empty: string): Sql {
  if (parts.length === 0) return raw(empty)
  if (parts.length === 1) return parts[0] as Sql
  const middle = parts.length >> 1
  const left = balanced(parts.slice(0, middle), operator, empty)
  const right = balanced(parts.slice(middle), operator, empty)
  return {
    text: `(${left.text}${operator}${right.text})`,
    params: [...left.params, ...right.params],
  }
}

/** D1 gives a function 32 arguments at most; local workerd takes more, so that only production would tell. */
const maxArguments = 32

/** The values as a JSON array. A value that is JSON itself has to come out of `json(…)`. */
export function jsonArray(values: readonly Sql[]): Sql {
  if (values.length <= maxArguments) return sql`json_array(${join(values)})`
  return sql`json('[' || ${listed(values.map((value) => sql`json_quote(${value})`))} || ']')`
}

/** The values by name as a JSON object; values as in `jsonArray`. Names come from definitions. */
export function jsonObject(members: readonly (readonly [name: string, value: Sql])[]): Sql {
  if (members.length * 2 <= maxArguments) {
    return sql`json_object(${join(members.map(([name, value]) => sql`${raw(literal(name))}, ${value}`))})`
  }
  const pairs = members.map(
    ([name, value]) => sql`${raw(literal(`${JSON.stringify(name)}:`))} || json_quote(${value})`,
  )
  return sql`json('{' || ${listed(pairs)} || '}')`
}

/** Texts with commas between them, concatenated as a balanced tree. */
const listed = (parts: readonly Sql[]): Sql =>
  balanced(
    parts.map((part, i) => (i === 0 ? part : sql`',' || ${part}`)),
    " || ",
    "''",
  )

/** D1 takes 100 bound parameters a statement; beyond that they travel as one JSON array. */
export const maxParams = 100

/**
 * A statement that D1 accepts, whatever the number of parameters.
 * `json_extract` keeps the type of numbers and texts, and still lets SQLite use an index.
 */
export function spill(fragment: Sql): Sql {
  if (fragment.params.length <= maxParams) return fragment
  let n = 0
  const text = replacePlaceholders(fragment.text, () => `json_extract(?1,'$[${n++}]')`)
  return { text, params: [JSON.stringify(fragment.params)] }
}

/** Replaces each `?` that stands outside of a quoted string or identifier. */
function replacePlaceholders(text: string, replacement: () => string): string {
  let result = ""
  let quote = ""
  for (const char of text) {
    if (quote) {
      if (char === quote) quote = ""
      result += char
    } else if (char === "'" || char === '"') {
      quote = char
      result += char
    } else result += char === "?" ? replacement() : char
  }
  return result
}
