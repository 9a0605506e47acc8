/** SQL as words, so that it is split and compared without being fooled by strings and comments. No I/O. */
export interface Token {
  readonly kind: "space" | "string" | "quoted" | "word" | "symbol"
  readonly text: string
  readonly start: number
}

const pattern = new RegExp(
  [
    /(?<space>\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))/,
    /(?<string>'(?:[^']|'')*'?)/,
    /(?<quoted>"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?)/,
    /(?<word>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w$])|[\w$\u0080-\uffff]+)/,
    /(?<symbol>[\s\S])/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
)

/** All tokens, spaces and comments (both of kind `space`) among them. */
export function* tokensOf(sql: string): Generator<Token> {
  for (const match of sql.matchAll(pattern)) {
    const groups = match.groups as Record<Token["kind"], string | undefined>
    const kind = (Object.keys(groups) as Token["kind"][]).find((name) => groups[name] !== undefined)
    yield { kind: kind ?? "symbol", text: match[0], start: match.index }
  }
}

/** Texts of the tokens that mean something: words in upper case, identifiers in double quotes. */
export const significant = (sql: string): string[] =>
  [...tokensOf(sql)].filter((token) => token.kind !== "space").map(canonical)

function canonical({ kind, text }: Token): string {
  if (kind === "word") return text.toUpperCase()
  return kind === "quoted" ? `"${unquote(text).replaceAll('"', '""')}"` : text
}

/** Two texts with the same normal form mean the same, however they are laid out. */
export const normalForm = (sql: string): string => significant(sql).join(" ")

/** The name that an identifier, quoted or bare, stands for. */
export function unquote(identifier: string): string {
  const inner = identifier.slice(1, -1)
  if (identifier.startsWith('"')) return inner.replaceAll('""', '"')
  if (identifier.startsWith("`")) return inner.replaceAll("``", "`")
  return identifier.startsWith("[") ? inner : identifier
}
