import { Text, UnstyledButton } from "@mantine/core"
import { memo } from "react"
import { Icon } from "../icon.tsx"
import { useText } from "../text.tsx"
import { Cell } from "./cell.tsx"
import { CellEditor, isEditable } from "./cell-editor.tsx"
import { type CollectionDescription, type FieldDescription, titleField } from "./collections.ts"
import type { AnyRecord } from "./records.ts"

/** What is done in a row. The same for as long as the grid lives, so that rows need not be drawn again. */
export interface RowActions {
  open(id: string): void
  choose(id: string): void
  activate(row: number, column: number): void
  edit(row: number, column: number): void
  endEdit(): void
}

interface Props {
  readonly collection: CollectionDescription
  readonly columns: readonly FieldDescription[]
  /** By which field of each collection its records are known. */
  readonly titles: ReadonlyMap<string, string | null>
  readonly record: AnyRecord
  readonly index: number
  /** In pixels, from the first row. */
  readonly start: number
  readonly template: string
  /** Of the cell that the keyboard is at; null where it is in another row. */
  readonly active: number | null
  readonly editing: boolean
  /** Null where nothing can be done with records. */
  readonly chosen: boolean | null
  readonly viewed: boolean
  readonly actions: RowActions
}

/** A row of the grid. Drawn once while it scrolls: only what is in it makes it anew. */
export const GridRow = memo(function GridRow(props: Props) {
  const { collection, columns, titles, record, index, active, chosen, actions } = props
  const text = useText()
  const title = titleOf(collection, record)
  return (
    <tr
      aria-rowindex={index + 2}
      className="grid-row"
      style={{
        gridTemplateColumns: props.template,
        transform: `translateY(${props.start}px)`,
      }}
    >
      <td aria-colindex={1} className="grid-cell grid-lead">
        {chosen !== null && (
          <input
            type="checkbox"
            checked={chosen}
            aria-label={text.bulk.choose(title)}
            onChange={() => actions.choose(record.id)}
          />
        )}
        <UnstyledButton
          className="grid-open"
          aria-label={`${text.data.open} ${title}`}
          onClick={() => actions.open(record.id)}
        >
          <Icon name="edit" />
        </UnstyledButton>
      </td>
      {columns.map((field, column) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys of all its cells
        <td
          key={field.name}
          aria-colindex={column + 2}
          className="grid-cell"
          tabIndex={active === column ? 0 : -1}
          data-active={active === column || undefined}
          onClick={() => actions.activate(index, column)}
          onDoubleClick={() => actions.edit(index, column)}
        >
          {active === column && props.editing && isEditable(collection, field) ? (
            <CellEditor
              collection={collection}
              field={field}
              record={record}
              onDone={actions.endEdit}
            />
          ) : props.viewed && !(field.name in record) ? (
            <Text span size="sm" c="dimmed" fs="italic">
              {text.viewAs.hidden}
            </Text>
          ) : (
            <Cell
              field={field}
              value={record[field.name]}
              title={relatedTitle(titles, field, record)}
            />
          )}
        </td>
      ))}
    </tr>
  )
})

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

function titleOf(collection: CollectionDescription, record: AnyRecord): string {
  const title = titleField(collection)
  return String((title && record[title]) ?? record.id)
}
