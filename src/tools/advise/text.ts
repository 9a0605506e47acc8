import { dollarsFor } from "../../core/advisor/price.ts"
import type { Advice } from "./explain.ts"

/** How often each question is assumed to be asked, where nothing is known of a deployment. */
export const assumedRequests = 1_000_000

/** Advice as text for a terminal. */
export function adviceText(advice: Advice, open: readonly string[], source: string): string {
  const { explained, unused, rows } = advice
  const lines: string[] = [
    `${source} ${rows.toLocaleString("en")} records. Dollars: each line asked ${assumedRequests.toLocaleString("en")} times a month, beyond what the plan includes.`,
  ]
  for (const [collection, own] of Map.groupBy(explained, ({ question }) => question.collection)) {
    lines.push("", collection)
    for (const { question, findings } of own) {
      const counted = question.rowsCounted ?? 0
      const read = question.rowsRead + counted
      const dollars = dollarsFor("rowsRead", read * assumedRequests).toFixed(2)
      lines.push(
        `  ${question.title} (${question.persona}): ${read.toLocaleString("en")} rows read, $${dollars}`,
        ...findings.map(({ kind, text }) => `    ${kind === "scan" ? "SCAN " : "note "} ${text}`),
      )
    }
  }
  const scans = explained.flatMap(({ findings }) => findings.filter(({ kind }) => kind === "scan"))
  return [
    ...lines,
    "",
    ...section("Open", open),
    ...section(
      "Indexes that none of these used (each costs a row at every write; take them out of indexes, or list who asks in src/app/queries.ts)",
      unused,
    ),
    scans.length > 0
      ? `${scans.length} full scan${scans.length > 1 ? "s" : ""} of a large table: mend ${scans.length > 1 ? "them" : "it"}.`
      : "No full scan of a large table.",
  ].join("\n")
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`), ""]
