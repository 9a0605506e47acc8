import { Alert, Center, Loader, Text, UnstyledButton } from "@mantine/core"
import { useInfiniteQuery, useQuery } from "@tanstack/react-query"
import { useVirtualizer } from "@tanstack/react-virtual"
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react"
import { isProblem } from "../backend.ts"
import { Icon } from "../icon.tsx"
import { ProblemNotice } from "../problem.tsx"
import { useText } from "../text.tsx"
import { isEditable } from "./cell-editor.tsx"
import {
  type CollectionDescription,
  collectionsQuery,
  type FieldDescription,
  titleField,
} from "./collections.ts"
import { GridRow, type RowActions } from "./grid-row.tsx"
import { type AnyRecord, type Asked, listQuery } from "./records.ts"
import { useReader, useViewing } from "./viewer.tsx"

const rowHeight = 40
const unsortable = new Set(["json", "relations", "backRelation", "point", "markdown"])

interface Props {
  readonly collection: CollectionDescription
  readonly columns: readonly FieldDescription[]
  readonly asked: Asked
  readonly onSort: (sort: string) => void
  readonly onOpen: (id: string) => void
  /** A filter that the server does not take is for the filter bar to show. */
  readonly onRefused: (error: unknown) => void
  /** Ids of the rows that are chosen; null where nothing can be done with them. */
  readonly chosen: ReadonlySet<string> | null
  readonly onChoose: (id: string) => void
}

/** Records without end: only the rows in sight exist, and the next page comes when its place is near. */
export function Grid(props: Props) {
  const { collection, columns, asked, onSort, onOpen, onRefused, chosen, onChoose } = props
  const text = useText()
  const query = useInfiniteQuery(listQuery(collection.name, asked, useReader()))
  const rows = useMemo(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data])
  const area = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState({ row: 0, column: 0 })
  const [editing, setEditing] = useState(false)
  const titles = useTitles()
  const { viewer } = useViewing()
  const actions = useActions(props, setActive, setEditing)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => area.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  })
  const shown = virtual.getVirtualItems()
  const last = shown.at(-1)?.index ?? 0
  const { hasNextPage, isFetchingNextPage, fetchNextPage, error } = query
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !error && last >= rows.length - 40)
      void fetchNextPage()
  }, [last, rows.length, hasNextPage, isFetchingNextPage, error, fetchNextPage])
  const refused = isProblem(error) && error.status === 400 && (asked.filter || asked.search)
  useEffect(() => {
    if (refused) onRefused(error)
  }, [refused, error, onRefused])

  const lead = chosen ? 80 : 48
  const template = `${lead}px ${columns.map((field) => `minmax(${widthOf(field)}px, ${widthOf(field)}fr)`).join(" ")}`
  const width = columns.reduce((sum, field) => sum + widthOf(field), lead)
  function move(event: KeyboardEvent): void {
    if (editing || !(event.target instanceof HTMLTableCellElement)) return
    const { row, column } = active
    const to = {
      ArrowDown: { row: row + 1, column },
      ArrowUp: { row: row - 1, column },
      ArrowRight: { row, column: column + 1 },
      ArrowLeft: { row, column: column - 1 },
      PageDown: { row: row + 15, column },
      PageUp: { row: row - 15, column },
      Home: { row: 0, column },
      End: { row: rows.length - 1, column },
    }[event.key]
    if (to) {
      event.preventDefault()
      const next = {
        row: Math.max(0, Math.min(rows.length - 1, to.row)),
        column: Math.max(0, Math.min(columns.length - 1, to.column)),
      }
      setActive(next)
      virtual.scrollToIndex(next.row)
      requestAnimationFrame(() =>
        area.current?.querySelector<HTMLElement>("[data-active]")?.focus(),
      )
    } else if (event.key === "Enter") {
      event.preventDefault()
      const record = rows[row]
      if (record) onOpen(record.id)
    } else if (event.key === "F2") {
      event.preventDefault()
      setEditing(chosen !== null)
    } else if (event.key === " " && chosen) {
      event.preventDefault()
      const record = rows[row]
      if (record) onChoose(record.id)
    }
  }

  if (viewer && isProblem(error) && [401, 403, 404].includes(error.status)) {
    return (
      <Alert color="gray" title={text.viewAs.nothing}>
        {error.detail}
      </Alert>
    )
  }
  if (error && !refused) return <ProblemNotice error={error} onRetry={() => void query.refetch()} />
  return (
    <div className="grid" ref={area}>
      <table
        role="grid"
        aria-label={collection.name}
        aria-rowcount={hasNextPage ? -1 : rows.length + 1}
        aria-colcount={columns.length + 1}
        onKeyDown={move}
        style={{ minWidth: width }}
      >
        <thead>
          <tr
            className="grid-row grid-head"
            style={{ gridTemplateColumns: template }}
            aria-rowindex={1}
          >
            <th scope="col" aria-colindex={1}>
              <span className="unseen">{text.data.open}</span>
            </th>
            {columns.map((field, i) => (
              <Heading
                key={field.name}
                field={field}
                index={i + 2}
                sort={asked.sort}
                onSort={onSort}
              />
            ))}
          </tr>
        </thead>
        <tbody className="grid-body" style={{ height: virtual.getTotalSize() }}>
          {shown.map(({ index, start }) => {
            const record = rows[index] as AnyRecord
            const isActive = active.row === index
            return (
              <GridRow
                key={record.id}
                collection={collection}
                columns={columns}
                titles={titles}
                record={record}
                index={index}
                start={start}
                template={template}
                active={isActive ? active.column : null}
                editing={isActive && editing}
                chosen={chosen?.has(record.id) ?? null}
                viewed={viewer !== null}
                actions={actions}
              />
            )
          })}
        </tbody>
      </table>
      {(query.isPending || isFetchingNextPage) && !refused && (
        <Center p="sm">
          <Loader size="sm" role="status" aria-label={text.loading} />
        </Center>
      )}
      {query.isSuccess && rows.length === 0 && (
        <Center p="xl">
          <Text c="dimmed">
            {asked.filter || asked.search ? text.data.noMatch : text.data.empty}
          </Text>
        </Center>
      )}
    </div>
  )
}

/** Bound to what the grid was given last, and themselves always the same. */
function useActions(
  props: Props,
  setActive: (cell: { row: number; column: number }) => void,
  setEditing: (editing: boolean) => void,
): RowActions {
  const given = useRef(props)
  given.current = props
  return useMemo(
    () => ({
      open: (id) => given.current.onOpen(id),
      choose: (id) => given.current.onChoose(id),
      activate: (row, column) => setActive({ row, column }),
      edit(row, column) {
        const { collection, columns, chosen } = given.current
        const field = columns[column]
        setActive({ row, column })
        setEditing(chosen !== null && field !== undefined && isEditable(collection, field))
      },
      endEdit: () => setEditing(false),
    }),
    [setActive, setEditing],
  )
}

function Heading(props: {
  field: FieldDescription
  index: number
  sort: string
  onSort: (sort: string) => void
}) {
  const text = useText()
  const { name, kind } = props.field
  const direction =
    props.sort === name ? "ascending" : props.sort === `-${name}` ? "descending" : null
  if (unsortable.has(kind)) {
    return (
      <th scope="col" aria-colindex={props.index} className="grid-cell">
        {name}
      </th>
    )
  }
  const next = direction === null ? name : direction === "ascending" ? `-${name}` : ""
  return (
    <th
      scope="col"
      aria-colindex={props.index}
      className="grid-cell"
      aria-sort={direction ?? "none"}
    >
      <UnstyledButton
        fz="inherit"
        fw="inherit"
        title={text.data.sortBy(name)}
        onClick={() => props.onSort(next)}
      >
        {name} {direction && <Icon name={direction === "ascending" ? "up" : "down"} size={12} />}
      </UnstyledButton>
    </th>
  )
}

/** In pixels at least; what is left over is shared in proportion. */
const widthOf = ({ kind }: FieldDescription): number =>
  kind === "text" || kind === "markdown" ? 200 : 140

/** By which field of each collection its records are known. */
function useTitles(): ReadonlyMap<string, string | null> {
  const { data } = useQuery(collectionsQuery)
  return useMemo(
    () => new Map(data?.items.map((collection) => [collection.name, titleField(collection)])),
    [data],
  )
}
