import { Button, Group, Stack, Text, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { Link, useLocation, useParams, useSearchParams } from "wouter"
import { pathWith } from "../backend.ts"
import { amount } from "../dates.ts"
import { Icon } from "../icon.tsx"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { Bin } from "./bin.tsx"
import { type CollectionDescription, collectionsQuery } from "./collections.ts"
import { ColumnMenu, useColumns } from "./columns.tsx"
import { FilterBar } from "./filter-bar.tsx"
import { Grid } from "./grid.tsx"
import { RecordDrawer } from "./record-drawer.tsx"
import { type Asked, countQuery } from "./records.ts"

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
  const [bin, setBin] = useState(parameters.has("bin"))
  const [filterError, setFilterError] = useState<unknown>(null)
  const asked: Asked = {
    filter: parameters.get("filter") ?? "",
    search: parameters.get("search") ?? "",
    sort: parameters.get("sort") ?? "",
    expand: columns
      .filter(({ kind }) => kind === "relation")
      .map(({ name }) => name)
      .join(","),
  }
  const count = useQuery({ ...countQuery(collection.name, asked), enabled: !filterError })
  const ask = (change: Partial<Asked>) => {
    setFilterError(null)
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
  return (
    <Stack gap="sm" h="calc(100dvh - 56px - 2rem)" miw={0}>
      <Group justify="space-between">
        <Group gap="xs" align="baseline">
          <Title order={2}>{collection.name}</Title>
          <Text c="dimmed" size="sm" className="numbers" aria-live="polite">
            {count.data === undefined
              ? text.data.countLoading
              : text.data.count(amount(count.data, language))}
          </Text>
        </Group>
        <Group gap="xs">
          <ColumnMenu collection={collection} columns={columns} onChange={setColumns} />
          <Button
            variant="default"
            size="xs"
            component="a"
            download
            href={pathWith(`/records/${collection.name}/export`, {
              format: "csv",
              filter: asked.filter,
            })}
          >
            {text.data.export}
          </Button>
          {!collection.readOnly && (
            <Button
              variant="default"
              size="xs"
              component={Link}
              href={`/data/${collection.name}/import`}
            >
              {text.import.button}
            </Button>
          )}
          {!collection.readOnly && (
            <Button variant="default" size="xs" onClick={() => setBin(true)}>
              {text.data.bin}
            </Button>
          )}
          {!collection.readOnly && (
            <Button size="xs" leftSection={<Icon name="plus" />} onClick={() => open("new")}>
              {text.data.new}
            </Button>
          )}
        </Group>
      </Group>
      <FilterBar collection={collection} asked={asked} onAsk={ask} error={filterError} />
      <Grid
        collection={collection}
        columns={columns}
        asked={asked}
        onSort={(sort) => ask({ sort })}
        onOpen={open}
        onRefused={setFilterError}
      />
      {bin && <Bin collection={collection} onClose={() => setBin(false)} />}
      {id && <RecordDrawer collection={collection} id={id} onClose={() => open(null)} />}
    </Stack>
  )
}
