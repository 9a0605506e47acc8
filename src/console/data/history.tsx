import { Badge, Button, Code, Group, Stack, Text, Timeline } from "@mantine/core"
import { useInfiniteQuery } from "@tanstack/react-query"
import { type Page, pathWith } from "../backend.ts"
import { moment } from "../dates.ts"
import { FileName } from "../files/file-line.tsx"
import { ProblemNotice } from "../problem.tsx"
import { shortId } from "../short-id.ts"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { Value } from "./cell.tsx"
import type { CollectionDescription, FieldDescription } from "./collections.ts"
import type { AnyRecord } from "./records.ts"
import { restore as restoreRecord, useUndo } from "./undo.tsx"
import { useReader, useViewing } from "./viewer.tsx"

export interface VersionHead {
  readonly version: number
  readonly kind: "created" | "updated" | "deleted"
  readonly at: string
  readonly actor: Author | null
  readonly impersonator: Author | null
  readonly authority: "rule" | "administrator" | "system"
}

interface Author {
  readonly id: string
  readonly name: string | null
}

export interface HistoryItem extends VersionHead {
  readonly changes: Readonly<Record<string, { from: unknown; to: unknown }>> | null
}

/** Who changed what, when; and the way back to each version. */
export function History({
  collection,
  record,
}: {
  collection: CollectionDescription
  record: AnyRecord
}) {
  const { text } = useLanguage()
  const { busy, run } = useAction()
  const reader = useReader()
  const { viewer } = useViewing()
  const offerUndo = useUndo()
  const path = `/records/${collection.name}/${record.id}`
  const query = useInfiniteQuery({
    queryKey: ["records", collection.name, "history", reader.key, record.id],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      reader.read<Page<HistoryItem>>(pathWith(`${path}/history`, { cursor: pageParam }), signal),
    getNextPageParam: (page) => page.next,
  })
  if (query.error) return <ProblemNotice error={query.error} />
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  const { id, version: now } = record
  const restore = (version: number) =>
    run(
      async () => {
        await restoreRecord(collection.name, { id, version }, now)
        offerUndo(text.data.restored, collection.name, () =>
          restoreRecord(collection.name, { id, version: now }, now + 1),
        )
      },
      { changed: [["records", collection.name]] },
    )
  return (
    <Stack>
      <Timeline bulletSize={14}>
        {items.map((item) => (
          <Timeline.Item key={item.version} title={<Head item={item} />}>
            <Stack gap={4}>
              {item.changes === null && (
                <Text size="sm" c="dimmed">
                  {text.data.hidden}
                </Text>
              )}
              <Differences collection={collection} changes={item.changes ?? {}} />
              {!viewer && item.version !== record.version && item.kind !== "deleted" && (
                <Button
                  size="compact-xs"
                  variant="default"
                  w="fit-content"
                  loading={busy}
                  onClick={() => void restore(item.version)}
                >
                  {text.data.restore}
                </Button>
              )}
            </Stack>
          </Timeline.Item>
        ))}
      </Timeline>
      {query.hasNextPage && (
        <Button variant="default" size="xs" onClick={() => void query.fetchNextPage()}>
          {text.more}
        </Button>
      )}
    </Stack>
  )
}

/** What became of a record, when, and by whom. */
export function Head({ item }: { item: VersionHead }) {
  const { text, language } = useLanguage()
  const { actor, impersonator } = item
  const names = [impersonator, actor].flatMap((one) => (one ? [one.name ?? shortId(one.id)] : []))
  return (
    <Group gap="xs">
      <Code>v{item.version}</Code>
      <Text size="sm" fw={600}>
        {text.data.changeKinds[item.kind]}
      </Text>
      <Text size="sm" c="dimmed">
        {moment(item.at, language)} · {names.join(" → ") || text.data.nobodyKnown}
      </Text>
      {item.authority === "administrator" && <Badge variant="default">administrator</Badge>}
    </Group>
  )
}

/** What each field was and became. */
export function Differences(props: {
  collection: CollectionDescription
  changes: NonNullable<HistoryItem["changes"]>
}) {
  return Object.entries(props.changes).map(([name, { from, to }]) => (
    <Difference key={name} field={fieldOf(props.collection, name)} from={from} to={to} />
  ))
}

function Difference(props: { field: FieldDescription; from: unknown; to: unknown }) {
  const { field, from, to } = props
  return (
    <Text size="sm" component="div" style={{ overflowWrap: "anywhere" }}>
      <Code>{field.name}</Code>{" "}
      {from !== null && (
        <>
          <del>
            <PastValue field={field} value={from} />
          </del>{" "}
          →{" "}
        </>
      )}
      <PastValue field={field} value={to} />
    </Text>
  )
}

/** As elsewhere; but files of the past may be gone, and are not asked for. */
function PastValue({ field, value }: { field: FieldDescription; value: unknown }) {
  const isFile = (field.kind === "file" || field.kind === "files") && value !== null
  const ids = isFile ? [value].flat().map(String) : []
  if (ids.length === 0) return <Value field={field} value={value} />
  return ids.map((id, i) => (
    <span key={id}>
      {i > 0 && ", "}
      <FileName id={id} />
    </span>
  ))
}

const fieldOf = ({ fields }: CollectionDescription, name: string): FieldDescription =>
  fields.find((field) => field.name === name) ?? {
    name,
    kind: "json",
    required: false,
    options: {},
  }
