import { dollarsFor } from "../../core/advisor/price.ts"
import { type Comparison, count } from "./loss.ts"
import { isRefused, type Rehearsal, type RehearsedMigration } from "./rehearsal.ts"

/** A rehearsal as text for a terminal, a line each. `whole` lists the tables that stay the same too. */
export function describeRehearsal(rehearsal: Rehearsal, whole = false): string[] {
  const { migrations, empty } = rehearsal
  if (migrations.length === 0) return ["Nothing is pending."]
  const lines = migrations.flatMap((migration) => describeMigration(migration, empty, whole))
  if (isRefused(rehearsal)) {
    return [...lines, "Refused: see above. Nothing has been applied but to the copy."]
  }
  return [
    ...lines,
    empty
      ? "The database is empty, so nothing can be lost."
      : "Nothing goes that nobody has said may go.",
  ]
}

function describeMigration(
  { name, cascades, tables, cost, failure }: RehearsedMigration,
  empty: boolean,
  whole: boolean,
): string[] {
  const findings = tables.flatMap((table) => table.findings)
  const words = { loss: "LOSS ", said: "said ", note: "note " } as const
  const touched = tables.filter((table) => whole || !isSame(table))
  const same = tables.filter(isSame)
  const rows = same.reduce((sum, { rowsBefore }) => sum + rowsBefore, 0)
  return [
    `migrations/${name}`,
    ...cascades.map((line) => `  RISK  ${line}`),
    ...(failure ? [`  FAILS ${failure}`] : []),
    ...findings.map(({ kind, text }) => `  ${words[kind]} ${text}`),
    ...touched.map((table) => `  ${describeTable(table)}`),
    ...(empty || failure
      ? []
      : [`  ${count(same.length, "table")} with ${count(rows, "row")} the same, to the checksum.`]),
    ...(cost
      ? [
          `  Reads ${count(cost.rowsRead, "row")} and writes ${count(cost.rowsWritten, "row")}, indexes included ($${dollars(cost)} at most), in ${(cost.milliseconds / 1000).toFixed(1)} s here.${cost.milliseconds > 10_000 ? " D1 ends a migration that takes more than 30 s: split it." : ""}`,
        ]
      : []),
  ]
}

const dollars = ({ rowsRead, rowsWritten }: { rowsRead: number; rowsWritten: number }) =>
  (dollarsFor("rowsRead", rowsRead) + dollarsFor("rowsWritten", rowsWritten)).toFixed(4)

const isSame = (table: Comparison): boolean =>
  table.findings.length === 0 &&
  table.rowsBefore === table.rowsAfter &&
  table.checksumBefore === table.checksumAfter

const describeTable = ({
  table,
  rowsBefore,
  rowsAfter,
  checksumBefore,
  checksumAfter,
}: Comparison): string =>
  `${table.padEnd(24)} ${String(rowsBefore).padStart(9)} → ${String(rowsAfter).padEnd(9)} ${checksumBefore} → ${checksumAfter || "gone"}`
