import * as z from "zod"
import { invalidInput, Problem } from "../../platform/problem.ts"
import type { ImportWay } from "./import-chunk.ts"
import type { ColumnNames, FileFormat } from "./import-file.ts"
import type { LinkedCollection } from "./link.ts"
import { readParameters } from "./query.ts"
import { parseUpsert } from "./upsert.ts"
import type { View } from "./view.ts"

export interface ImportQuery extends ImportWay {
  readonly columns: ColumnNames
}

/** @throws {Problem} `invalid_input`, naming the parameter. */
export function parseImportQuery(
  view: View,
  collection: LinkedCollection,
  parameters: URLSearchParams,
): ImportQuery {
  const one = readParameters(parameters, ["upsert", "columns", "atomic", "dryRun"])
  const yes = (name: "atomic" | "dryRun"): boolean => {
    const value = one(name) ?? "false"
    if (value === "true" || value === "false") return value === "true"
    throw wrong(name, "unknown_value", '"true" or "false".')
  }
  const upsert = one("upsert")
  return {
    upsert: upsert === null ? null : parseUpsert(view, collection, upsert),
    columns: parseColumns(one("columns")),
    atomic: yes("atomic"),
    dryRun: yes("dryRun"),
  }
}

const wrong = (name: string, code: string, message: string): Problem =>
  invalidInput({ path: `query.${name}`, code, message: `${name}: ${message}` })

const columnNames = z.record(z.string(), z.string().nullable())

function parseColumns(text: string | null): ColumnNames {
  if (text === null) return new Map()
  const expected = 'an object like {"Full name":"name","Remarks":null}.'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong("columns", "json", expected)
  }
  const parsed = columnNames.safeParse(value)
  if (!parsed.success) throw wrong("columns", "invalid_type", expected)
  return new Map(Object.entries(parsed.data))
}

const formats: Readonly<Record<string, FileFormat>> = {
  "text/csv": "csv",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/jsonl": "ndjson",
}

/** @throws {Problem} `unsupported_media_type` */
export function formatOfBody(request: Request): FileFormat {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? ""
  const format = Object.hasOwn(formats, type) ? formats[type] : undefined
  if (format) return format
  throw new Problem("unsupported_media_type", "Send text/csv or application/x-ndjson.")
}
