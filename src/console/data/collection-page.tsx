import { Button, Group, Stack, Text, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { lazy, Suspense, useState } from "react"
import { useLocation, useParams, useSearchParams } from "wouter"
import { amount } from "../dates.ts"
import { Icon } from "../icon.tsx"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { type CollectionDescription, collectionsQuery } from "./collections.ts"
import { ColumnMenu, useColumns } from "./columns.tsx"
import { FilterBar } from "./filter-bar.tsx"
import { Grid } from "./grid.tsx"
import { MoreMenu, type Opened } from "./more-menu.tsx"
import { RecordDrawer } from "./record-drawer.tsx"
import { type Asked, countQuery } from "./records.ts"
import { idsInFilter } from "./undo.tsx"
import { useReader, useViewing } from "./viewer.tsx"
import { ViewerBanner } from "./viewer-banner.tsx"

const Bin = lazy(() => import("./bin.tsx").then(({ Bin }) => ({ default: Bin })))
const BulkDialog = lazy(() => import("./bulk-dialog.tsx"))
const ViewAsDialog = lazy(() => import("./view-as.tsx"))

/** One collection: its records in a grid, and beside it the one that is open. Filter, search and order stand in the address. */
export default function CollectionPage() {
  const { text } = useLanguage()
  const { collection = "" } = useParams()
  const { data, error } = useQuery(collectionsQuery)
  const description = data?.items.find(({ name }) => name === collection)
  if (error) return <ProblemNotice error={error} />
  if (!data) return null
  if (!description) return <Text>{text.problem.missing}</Text>
  return <Records key={collection} collection={description} />
}

function Records({ collection }: { collection: CollectionDescription }) {
  const { text, language } = useLanguage()
  const { id } = useParams()
  const [, go] = useLocation()
  const [parameters, setParameters] = useSearchParams()
  const [columns, setColumns] = useColumns(collection)
  const [pressed, setOpened] = useState<Opened | null>(null)
  // The change log leads to the bin of what was deleted.
  const opened = pressed ?? (parameters.get("bin") === "open" ? "bin" : null)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(none)
  const [filterError, setFilterError] = useState<unknown>(null)
  const reader = useReader()
  const { viewer } = useViewing()
  const fixed = collection.readOnly || viewer !== null
  const asked: Asked = {
    filter: parameters.get("filter") ?? "",
    search: parameters.get("search") ?? "",
    sort: parameters.get("sort") ?? "",
    expand: columns
      .filter(({ kind }) => kind === "relation" || kind === "file")
      .map(({ name }) => name)
      .join(","),
  }
  const count = useQuery({ ...countQuery(collection.name, asked, reader), enabled: !filterError })
  const counted = count.data === undefined ? null : amount(count.data, language)
  const ask = (change: Partial<Asked>) => {
    setFilterError(null)
    setChosen(none)
    setParameters((before) => {
      const next = new URLSearchParams(before)
      for (const [name, value] of Object.entries(change)) {
        if (value) next.set(name, value)
        else next.delete(name)
      }
      return next
    })
  }
  const query = parameters.size > 0 ? `?${parameters}` : ""
  const open = (record: string | null) =>
    go(`/data/${collection.name}${record ? `/${record}` : ""}${query}`)
  const close = () => {
    setOpened(null)
    if (!parameters.has("bin")) return
    setParameters((before) => {
      const next = new URLSearchParams(before)
      next.delete("bin")
      return next
    })
  }
  return (
    <Stack gap="sm" h="calc(100dvh - 56px - 2rem)" miw={0}>
      <ViewerBanner />
      <Group justify="space-between">
        <Group gap="xs" align="baseline">
          <Title order={2}>{collection.name}</Title>
          <Text c="dimmed" size="sm" className="numbers" aria-live="polite">
            {counted === null
              ? count.error || filterError
                ? ""
                : text.data.countLoading
              : text.data.count(counted)}
          </Text>
        </Group>
        <Group gap="xs">
          <ColumnMenu collection={collection} columns={columns} onChange={setColumns} />
          {!viewer && (
            <MoreMenu
              collection={collection}
              columns={columns}
              asked={asked}
              count={counted}
              onOpen={setOpened}
            />
          )}
          {!fixed && (
            <Button size="xs" leftSection={<Icon name="plus" />} onClick={() => open("new")}>
              {text.data.new}
            </Button>
          )}
        </Group>
      </Group>
      <FilterBar collection={collection} asked={asked} onAsk={ask} error={filterError} />
      {chosen.size > 0 && !fixed && (
        <ChosenBar count={chosen.size} onOpen={setOpened} onClear={() => setChosen(none)} />
      )}
      <Grid
        collection={collection}
        columns={columns}
        asked={asked}
        onSort={(sort) => ask({ sort })}
        onOpen={open}
        onRefused={setFilterError}
        chosen={fixed ? null : chosen}
        onChoose={(id) => setChosen((before) => toggled(before, id))}
      />
      <Suspense>
        {opened === "bin" && <Bin collection={collection} onClose={close} />}
        {opened === "view as" && <ViewAsDialog onClose={close} />}
        {(opened === "update" || opened === "delete") && (
          <BulkDialog
            collection={collection}
            kind={opened}
            which={chosen.size > 0 ? { ids: [...chosen] } : { filter: asked.filter }}
            onClose={() => {
              close()
              setChosen(none)
            }}
          />
        )}
      </Suspense>
      {id && <RecordDrawer collection={collection} id={id} onClose={() => open(null)} />}
    </Stack>
  )
}

const none: ReadonlySet<string> = new Set()

/** With that id, or without it if it was there; no more than one request can name. */
function toggled(before: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(before)
  if (!next.delete(id) && next.size < idsInFilter) next.add(id)
  return next
}

function ChosenBar(props: { count: number; onOpen: (what: Opened) => void; onClear: () => void }) {
  const { text, language } = useLanguage()
  const t = text.bulk
  return (
    <Group gap="xs" role="status">
      <Text size="sm" className="numbers">
        {t.chosen(amount(props.count, language))}
      </Text>
      <Button size="xs" variant="light" onClick={() => props.onOpen("update")}>
        {t.edit}
      </Button>
      <Button size="xs" variant="light" color="red" onClick={() => props.onOpen("delete")}>
        {text.delete}
      </Button>
      <Button size="xs" variant="subtle" onClick={props.onClear}>
        {t.clear}
      </Button>
      {props.count >= idsInFilter && (
        <Text size="sm" c="dimmed">
          {t.most(amount(idsInFilter, language))}
        </Text>
      )}
    </Group>
  )
}
