import { memo } from "react"
import type { FileFacts } from "../files/file.ts"
import { Icon } from "../icon.tsx"
import { useLanguage } from "../text.tsx"
import { shownValue } from "./cell.tsx"
import { CellEditor, isEditable } from "./cell-editor.tsx"
import { type CollectionDescription, type FieldDescription, titleField } from "./collections.ts"
import type { AnyRecord } from "./records.ts"
import { rowHeight } from "./row-window.ts"

interface Props {
  readonly collection: CollectionDescription
  readonly columns: readonly FieldDescription[]
  /** By which field of each collection its records are known. */
  readonly titles: ReadonlyMap<string, string | null>
  readonly record: AnyRecord
  readonly index: number
  /** Not among those that follow each other. */
  readonly apart: boolean
  /** Of the cell that the keyboard is at; null where it is in another row. */
  readonly active: number | null
  readonly editing: boolean
  /** Null where nothing can be done with records. */
  readonly chosen: boolean | null
  readonly viewed: boolean
  readonly onEdited: () => void
}

/**
 * A row of the grid, drawn once while it scrolls by: only what is in it makes it anew. What is done in it the grid
 * hears, which finds by `placeOf` where.
 */
export const GridRow = memo(function GridRow(props: Props) {
  const { collection, columns, titles, record, index, active, chosen } = props
  const spoken = useLanguage()
  const { text } = spoken
  const title = titleOf(collection, record)
  return (
    <tr
      aria-rowindex={index + 2}
      className="grid-row"
      style={props.apart ? { position: "absolute", top: index * rowHeight } : undefined}
    >
      <td aria-colindex={1} className={chosen === null ? "grid-lead" : "grid-lead can-choose"}>
        {chosen !== null && (
          <input
            type="checkbox"
            checked={chosen}
            onChange={heardAbove}
            aria-label={text.bulk.choose(title)}
          />
        )}
        <button type="button" className="grid-open" aria-label={`${text.data.open} ${title}`}>
          <Icon name="edit" />
        </button>
      </td>
      {columns.map((field, column) => (
        <td
          key={field.name}
          aria-colindex={column + 2}
          className={cellClass(field)}
          tabIndex={active === column ? 0 : -1}
          data-active={active === column || undefined}
        >
          {active === column && props.editing && isEditable(collection, field) ? (
            <CellEditor
              collection={collection}
              field={field}
              record={record}
              onDone={props.onEdited}
            />
          ) : props.viewed && !(field.name in record) ? (
            <i className="none">{text.viewAs.hidden}</i>
          ) : (
            shownValue(
              field,
              record[field.name],
              spoken,
              relatedTitle(titles, field, record),
              fileOf(field, record),
            )
          )}
        </td>
      ))}
    </tr>
  )
})

/** React asks for a handler beside the value. */
const heardAbove = () => {}

/** The column of what is before the first one. */
export const lead = -1

/** In which cell of the rows something happened. */
export function placeOf(target: EventTarget): { row: number; column: number } | null {
  const cell = target instanceof Element ? target.closest("td") : null
  if (!cell) return null
  const at = (element: Element | null, name: string) => Number(element?.getAttribute(name)) - 2
  return { row: at(cell.parentElement, "aria-rowindex"), column: at(cell, "aria-colindex") }
}

/** Long texts have more room: see the style sheet. */
export const cellClass = ({ kind }: FieldDescription): string =>
  isWide(kind) ? "grid-cell wide" : "grid-cell"

/** In pixels, as the style sheet has it. */
export const leastWidth = ({ kind }: FieldDescription): number => (isWide(kind) ? 200 : 140)

const isWide = (kind: string): boolean => kind === "text" || kind === "markdown"

function relatedTitle(
  titles: ReadonlyMap<string, string | null>,
  { name, options }: FieldDescription,
  record: AnyRecord,
): string | undefined {
  const related = (record.expanded as Record<string, AnyRecord | null> | undefined)?.[name]
  const title = titles.get(options.target ?? "")
  const value = title && related?.[title]
  return typeof value === "string" ? value : undefined
}

/** What came along of a file. */
function fileOf({ kind, name }: FieldDescription, record: AnyRecord): FileFacts | undefined {
  if (kind !== "file") return undefined
  return (record.expanded as Record<string, FileFacts | null> | undefined)?.[name] ?? undefined
}

function titleOf(collection: CollectionDescription, record: AnyRecord): string {
  const title = titleField(collection)
  return String((title && record[title]) ?? record.id)
}
