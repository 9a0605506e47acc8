import { Alert, Center, Loader, Text, UnstyledButton } from "@mantine/core"
import { useInfiniteQuery, useQuery } from "@tanstack/react-query"
import {
  type CSSProperties,
  type FormEvent,
  type KeyboardEvent,
  type MouseEvent,
  useCallback,
  useEffect,
  useMemo,
  useState,
} from "react"
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
import { cellClass, GridRow, lead, leastWidth, placeOf } from "./grid-row.tsx"
import { type Asked, listQuery } from "./records.ts"
import { rowHeight, useRowWindow } from "./row-window.ts"
import { useReader, useViewing } from "./viewer.tsx"

/** The next page is asked for when so many rows are left. */
const rowsAhead = 100
const unsortable = new Set([
  "json",
  "relations",
  "backRelation",
  "point",
  "file",
  "files",
  "markdown",
])

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
  const [active, setActive] = useState({ row: 0, column: 0 })
  const [editing, setEditing] = useState(false)
  const endEdit = useCallback(() => setEditing(false), [])
  const titles = useTitles()
  const { viewer } = useViewing()
  const { first, end, attach, onScroll } = useRowWindow(rows.length)
  const { hasNextPage, isFetchingNextPage, fetchNextPage, error } = query
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !error && end >= rows.length - rowsAhead)
      void fetchNextPage()
  }, [end, rows.length, hasNextPage, isFetchingNextPage, error, fetchNextPage])
  const refused = isProblem(error) && error.status === 400 && (asked.filter || asked.search)
  useEffect(() => {
    if (refused) onRefused(error)
  }, [refused, error, onRefused])

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
      const table = event.currentTarget
      requestAnimationFrame(() => {
        const cell = table.querySelector<HTMLElement>("[data-active]")
        cell?.scrollIntoView({ block: "nearest", inline: "nearest" })
        cell?.focus({ preventScroll: true })
      })
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
  function press({ target }: MouseEvent): void {
    const place = placeOf(target)
    const record = place && rows[place.row]
    if (!record || !(target instanceof Element) || target.closest("a")) return
    if (place.column !== lead) setActive(place)
    else if (target.closest("button")) onOpen(record.id)
  }
  function choose({ target }: FormEvent): void {
    const place = placeOf(target)
    const record = place?.column === lead && rows[place.row]
    if (record) onChoose(record.id)
  }
  function edit({ target }: MouseEvent): void {
    const place = placeOf(target)
    const field = place && columns[place.column]
    if (!field) return
    setActive(place)
    setEditing(chosen !== null && isEditable(collection, field))
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
    <div
      className="grid"
      ref={attach}
      onScroll={onScroll}
      style={{ "--row-height": `${rowHeight}px` } as CSSProperties}
    >
      <table
        role="grid"
        aria-label={collection.name}
        aria-rowcount={hasNextPage ? -1 : rows.length + 1}
        aria-colcount={columns.length + 1}
        onKeyDown={move}
        style={{ minWidth: widthOf(columns, chosen !== null) }}
      >
        <thead>
          <tr className="grid-row grid-head" aria-rowindex={1}>
            <th
              scope="col"
              aria-colindex={1}
              className={chosen ? "grid-lead can-choose" : "grid-lead"}
            >
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

        <tbody
          className="grid-body"
          style={{ height: rows.length * rowHeight, paddingTop: first * rowHeight }}
          onChange={choose}
          onClick={press}
          onDoubleClick={edit}
        >
          {rowsShown(first, end, active.row).map((index) => {
            const record = rows[index]
            if (!record) return null
            const isActive = active.row === index
            return (
              <GridRow
                key={record.id}
                collection={collection}
                columns={columns}
                titles={titles}
                record={record}
                index={index}
                apart={index < first || index >= end}
                active={isActive ? active.column : null}
                editing={isActive && editing}
                chosen={chosen?.has(record.id) ?? null}
                viewed={viewer !== null}
                onEdited={endEdit}
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

/** Those in the window, and the one that the keyboard is at, which keeps the focus however far it is. */
function rowsShown(first: number, end: number, active: number): number[] {
  const shown = Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i)
  if (active < first) shown.unshift(active)
  else if (active >= end) shown.push(active)
  return shown
}

/** In pixels, at least. */
const widthOf = (columns: readonly FieldDescription[], canChoose: boolean): number =>
  columns.reduce((sum, field) => sum + leastWidth(field), canChoose ? 80 : 48)

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
      <th scope="col" aria-colindex={props.index} className={cellClass(props.field)}>
        {name}
      </th>
    )
  }
  const next = direction === null ? name : direction === "ascending" ? `-${name}` : ""
  return (
    <th
      scope="col"
      aria-colindex={props.index}
      className={cellClass(props.field)}
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

/** By which field of each collection its records are known. */
function useTitles(): ReadonlyMap<string, string | null> {
  const { data } = useQuery(collectionsQuery)
  return useMemo(
    () => new Map(data?.items.map((collection) => [collection.name, titleField(collection)])),
    [data],
  )
}
