import type { Match } from "./checked.ts"
import { likePattern } from "./pattern.ts"
import { every, parameter, type Term, term } from "./terms.ts"
import { codePointLength } from "./text.ts"

/**
 * `text ~ pattern`, folding ASCII only as SQLite's `lower()` and LIKE do. D1 refuses LIKE patterns above
 * 50 bytes, so that `instr` and `substr`, which have no limit, come first.
 */
export function matchToSql(text: Term, pattern: Match["pattern"]): Term {
  if (pattern.kind === "contains") {
    return term`${term`instr(${term`lower(${text})`}, ${pattern.text})`} > 0`
  }
  if (pattern.kind !== "parts") throw new Error("The pattern is not bound")
  const [first, last] = [pattern.parts[0] as string, pattern.parts.at(-1) as string]
  if (pattern.parts.length === 2 && first === "" && last === "") return term`${text} IS NOT NULL`
  if (pattern.parts.length === 2 && last === "") return startsWith(text, first)
  if (pattern.parts.length === 2 && first === "") return endsWith(text, last)
  const like = likePattern(pattern.parts)
  if (like !== null) return term`${text} LIKE ${like} ESCAPE '\\'`
  // The checker lets only patterns of two parts be longer. They must not overlap.
  const shortest = codePointLength(first) + codePointLength(last)
  const longEnough = term`${term`length(${text})`} >= ${shortest}`
  return every([startsWith(text, first), endsWith(text, last), longEnough])
}

const startsWith = (text: Term, start: string): Term =>
  term`${term`substr(${term`lower(${text})`}, 1, ${codePointLength(start)})`} = ${parameter(start)}`

const endsWith = (text: Term, end: string): Term =>
  term`${term`substr(${term`lower(${text})`}, ${-codePointLength(end)})`} = ${parameter(end)}`
