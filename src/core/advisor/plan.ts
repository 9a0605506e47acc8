/* What SQLite says of how it would answer (EXPLAIN QUERY PLAN), read as data. No I/O. */

export interface Plan {
  /** Tables of which every row is looked at, in no order or in that of an index. */
  readonly scans: readonly { readonly table: string; readonly index: string | null }[]
  /** Names of all indexes that are used, automatic ones not among them. */
  readonly indexes: readonly string[]
  /** Tables for which SQLite would make an index while it answers, and throw it away: one is missing. */
  readonly automatic: readonly string[]
  /** What matches is gathered and sorted before the first row is answered. */
  readonly sorts: boolean
}

/**
 * @param details the column `detail` of each line
 * @param statement the SQL that was explained, which tells what its aliases stand for
 * @see https://www.sqlite.org/eqp.html
 */
export function readPlan(details: readonly string[], statement: string): Plan {
  const tables = tablesByAlias(statement)
  const scans: { table: string; index: string | null }[] = []
  const indexes = new Set<string>()
  const automatic: string[] = []
  let sorts = false
  for (const detail of details) {
    if (/^USE TEMP B-TREE FOR (?:.* OF )?ORDER BY/.test(detail)) sorts = true
    const [, verb, alias = "", rest = ""] = /^(SCAN|SEARCH) (\S+)(.*)$/.exec(detail) ?? []
    // json_each and full-text search are virtual tables: what they read follows from their argument.
    const table = tables.get(alias)
    if (!verb || !table || rest.includes("VIRTUAL TABLE")) continue
    const index = /USING (?:COVERING )?INDEX (\S+)/.exec(rest)?.[1] ?? null
    if (/USING AUTOMATIC/.test(rest)) automatic.push(table)
    else if (index) indexes.add(index)
    if (verb === "SCAN") scans.push({ table, index })
  }
  return { scans, indexes: [...indexes], automatic, sorts }
}

/** Tables in FROM and JOIN, by alias, and by name where they have none. */
function tablesByAlias(statement: string): Map<string, string> {
  const found = new Map<string, string>()
  const source = /\b(?:FROM|JOIN|,)\s+"?(\w+)"?(?:\s+(?:AS\s+)?"?(\w+)"?)?/gi
  for (const [, table = "", alias] of statement.matchAll(source)) {
    const isAlias =
      alias && !/^(?:WHERE|JOIN|ON|ORDER|GROUP|LIMIT|LEFT|CROSS|UNION|AND)$/i.test(alias)
    found.set(isAlias ? alias : table, table)
    found.set(table, table)
  }
  return found
}
