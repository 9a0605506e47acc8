import { tokensOf } from "./tokens.ts"

/**
 * The statements of a migration, without their semicolons and the comments before them.
 * A trigger's body has semicolons of its own: it ends, as in SQLite's own shell, at the first `; END ;`.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = []
  let start = -1
  let words: string[] = []
  for (const token of tokensOf(sql)) {
    if (token.kind === "space") continue
    if (token.text === ";" && (!isTrigger(words) || endsBody(words))) {
      if (start >= 0) statements.push(sql.slice(start, token.start).trim())
      start = -1
      words = []
      continue
    }
    if (start < 0) start = token.start
    words.push(token.text.toUpperCase())
  }
  if (start >= 0) statements.push(sql.slice(start).trim())
  return statements
}

const isTrigger = (words: readonly string[]): boolean =>
  words[0] === "CREATE" && (words[1] === "TRIGGER" || words[2] === "TRIGGER")

const endsBody = (words: readonly string[]): boolean =>
  words.at(-1) === "END" && words.at(-2) === ";"
