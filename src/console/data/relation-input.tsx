import { MultiSelect, Select } from "@mantine/core"
import { useDebouncedValue } from "@mantine/hooks"
import { keepPreviousData, useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { type Page, pathWith } from "../backend.ts"
import { shortId } from "../short-id.ts"
import { useText } from "../text.tsx"
import { type CollectionDescription, collectionsQuery, titleField } from "./collections.ts"
import type { AnyRecord } from "./records.ts"
import { useReader } from "./viewer.tsx"

interface Common {
  readonly target: string
  readonly label?: string | undefined
  readonly error?: string | undefined
  readonly withAsterisk?: boolean
}

/** One record of another collection, found by its words. */
export function RelationInput(
  props: Common & { value: string | null; onChange: (id: string | null) => void },
) {
  const { target, value, onChange, ...rest } = props
  const text = useText()
  const { typed, setTyped, options } = useFound(target, value ? [value] : [])
  return (
    <Select
      {...rest}
      data={options}
      value={value}
      onChange={onChange}
      searchable
      searchValue={typed}
      onSearchChange={setTyped}
      filter={({ options }) => options}
      placeholder={text.data.pick}
      clearable
      nothingFoundMessage={text.data.noMatch}
    />
  )
}

/** Several records of another collection, in order. */
export function RelationsInput(
  props: Common & { value: readonly string[]; onChange: (ids: string[]) => void },
) {
  const { target, value, onChange, ...rest } = props
  const text = useText()
  const { typed, setTyped, options } = useFound(target, value)
  return (
    <MultiSelect
      {...rest}
      data={options}
      value={[...value]}
      onChange={onChange}
      searchable
      searchValue={typed}
      onSearchChange={setTyped}
      filter={({ options }) => options}
      placeholder={text.data.pick}
      clearable
      nothingFoundMessage={text.data.noMatch}
    />
  )
}

/** Records that what is typed finds, and those that are chosen already. */
function useFound(target: string, chosen: readonly string[]) {
  const [typed, setTyped] = useState("")
  const [asked] = useDebouncedValue(typed, 200)
  const reader = useReader()
  const { data: definitions } = useQuery(collectionsQuery)
  const collection = definitions?.items.find(({ name }) => name === target)
  const title = collection ? titleField(collection) : null
  const fields = title ? `id,${title}` : "id"
  const known = useQuery({
    queryKey: ["records", target, "chosen", reader.key, chosen],
    enabled: chosen.length > 0 && collection !== undefined,
    queryFn: () =>
      reader.read<Page<AnyRecord>>(
        pathWith(`/records/${target}`, {
          filter: `id in (${chosen.map((id) => `"${id}"`).join(", ")})`,
          limit: 200,
          fields,
        }),
      ),
  })
  const titleOf = (record: AnyRecord) => String((title && record[title]) ?? shortId(record.id))
  const titles = new Map(known.data?.items.map((record) => [record.id, titleOf(record)]))
  const shown = chosen.map((id) => titles.get(id) ?? shortId(id))
  const searching = asked !== "" && !shown.includes(asked)
  const found = useQuery({
    queryKey: ["records", target, "found", reader.key, searching ? asked : ""],
    enabled: collection !== undefined,
    placeholderData: keepPreviousData,
    queryFn: () =>
      reader.read<Page<AnyRecord>>(
        pathWith(`/records/${target}`, {
          ...(searching && collection && queryFor(collection, title, asked)),
          limit: 20,
          fields,
        }),
      ),
  })
  const options = [
    ...chosen.map((id) => ({ value: id, label: titles.get(id) ?? shortId(id) })),
    ...(found.data?.items ?? [])
      .filter(({ id }) => !chosen.includes(id))
      .map((record) => ({ value: record.id, label: titleOf(record) })),
  ]
  return { typed, setTyped, options }
}

const queryFor = (
  { search }: CollectionDescription,
  title: string | null,
  words: string,
): Record<string, string> => {
  if (search.length > 0) return { search: words }
  return title ? { filter: `${title} ~ ${JSON.stringify(words)}` } : {}
}
