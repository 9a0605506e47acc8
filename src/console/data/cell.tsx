import type { ReactNode } from "react"
import { Link } from "wouter"
import { amount, day, moment } from "../dates.ts"
import type { FileFacts } from "../files/file.ts"
import { FileCell } from "../files/file-line.tsx"
import type { Messages } from "../messages-en.ts"
import { shortId } from "../short-id.ts"
import { useLanguage } from "../text.tsx"
import type { FieldDescription } from "./collections.ts"

interface Spoken {
  readonly text: Messages
  readonly language: string
}

/**
 * A value as text; nothing that a record holds is ever markup here. Grids show thousands, so it is plain elements, and
 * none around what is a text.
 *
 * @param title - Of the record that a relation points at.
 * @param file - What is known of a file, where the record came with it.
 */
export function shownValue(
  field: FieldDescription,
  value: unknown,
  { text, language }: Spoken,
  title?: string,
  file?: FileFacts,
): ReactNode {
  if (value === null || value === undefined || value === "") return <span className="none">–</span>
  switch (field.kind) {
    case "boolean":
      return <span className="tag">{value ? text.yes : text.no}</span>
    case "integer":
    case "number":
    case "rollup":
      return amount(Number(value), language)
    case "date":
      return day(String(value), language)
    case "datetime":
      return moment(String(value), language)
    case "choice":
      return <span className="tag">{String(value)}</span>
    case "relation":
      return (
        <Link className="link" href={`/data/${field.options.target}/${String(value)}`}>
          {title ?? shortId(String(value))}
        </Link>
      )
    case "relations":
      return (value as string[]).map(shortId).join(", ") || "–"
    case "file":
      return <FileCell id={String(value)} told={file} />
    case "files":
      return text.files.count((value as string[]).length)
    case "json":
    case "point":
      return <code>{JSON.stringify(value)}</code>
    default:
      return String(value)
  }
}

/** The same, by itself. */
export function Value({ field, value }: { field: FieldDescription; value: unknown }) {
  const spoken = useLanguage()
  return <span className="numbers">{shownValue(field, value, spoken)}</span>
}
