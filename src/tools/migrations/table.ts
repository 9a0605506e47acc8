import { significant, unquote } from "./tokens.ts"

/** A column as a `CREATE TABLE` declares it. */
export interface TableColumn {
  readonly name: string
  readonly type: string
  readonly notNull: boolean
  readonly default: string | null
  readonly references: string | null
  readonly generated: boolean
  /** Everything it declares but its name and default, in normal form: equal for columns that store alike. */
  readonly signature: string
  /** The whole declaration in normal form. */
  readonly text: string
}

export interface TableText {
  readonly columns: ReadonlyMap<string, TableColumn>
  /** Constraints over several columns, and options such as STRICT, in normal form. */
  readonly rest: string
}

/** Takes the text of a `CREATE TABLE` apart, as `sqlite_master` keeps it. */
export function parseTable(sql: string): TableText {
  const tokens = significant(sql)
  const open = tokens.indexOf("(")
  const columns = new Map<string, TableColumn>()
  const rest: string[] = []
  let depth = 0
  let declaration: string[] = []
  const finish = () => {
    if (declaration.length > 0) {
      if (constraintWords.has(declaration[0] as string)) rest.push(declaration.join(" "))
      else {
        const column = parseColumn(declaration)
        columns.set(column.name, column)
      }
    }
    declaration = []
  }
  for (const [index, token] of tokens.entries()) {
    if (index < open) continue
    if (token === ")") depth--
    if ((depth === 1 && token === ",") || (depth === 0 && token === ")")) finish()
    else if (depth > 0) declaration.push(token)
    else if (token !== "(") rest.push(token)
    if (token === "(") depth++
  }
  return { columns, rest: rest.join(" ") }
}

const constraintWords = new Set(["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"])

function parseColumn(tokens: readonly string[]): TableColumn {
  const at = tokens.indexOf("DEFAULT")
  const end = at < 0 ? -1 : endOfDefault(tokens, at + 1)
  const declared = at < 0 ? tokens.slice(1) : [...tokens.slice(1, at), ...tokens.slice(end)]
  const target = declared[declared.indexOf("REFERENCES") + 1]
  return {
    name: unquote(tokens[0] as string),
    type: declared[0] ?? "",
    notNull: declared.includes("NOT"),
    default: at < 0 ? null : tokens.slice(at + 1, end).join(" "),
    references: declared.includes("REFERENCES") && target ? unquote(target) : null,
    generated: declared.includes("GENERATED"),
    signature: declared.join(" "),
    text: tokens.join(" "),
  }
}

/** A default is a literal, perhaps with a sign, or an expression in parentheses. */
function endOfDefault(tokens: readonly string[], start: number): number {
  const first = tokens[start] ?? ""
  if (first !== "(") return /^[-+]$/.test(first) ? start + 2 : start + 1
  let depth = 0
  for (let end = start; end < tokens.length; end++) {
    if (tokens[end] === "(") depth++
    if (tokens[end] === ")" && --depth === 0) return end + 1
  }
  return tokens.length
}
