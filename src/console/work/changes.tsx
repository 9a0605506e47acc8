import {
  Anchor,
  Button,
  Center,
  Group,
  Loader,
  Paper,
  Select,
  Stack,
  Text,
  Title,
} from "@mantine/core"
import { useIntersection } from "@mantine/hooks"
import { useInfiniteQuery, useQuery } from "@tanstack/react-query"
import { useEffect } from "react"
import { Link } from "wouter"
import { type Page, pathWith, read } from "../backend.ts"
import { type CollectionDescription, collectionsQuery, titleField } from "../data/collections.ts"
import { Differences, Head, type HistoryItem } from "../data/history.tsx"
import type { AnyRecord } from "../data/records.ts"
import { RelationInput } from "../data/relation-input.tsx"
import { Empty } from "../empty.tsx"
import { ProblemNotice } from "../problem.tsx"
import { shortId } from "../short-id.ts"
import { useText } from "../text.tsx"
import { useParameters } from "../use-parameters.ts"

interface Change extends HistoryItem {
  readonly collection: string
  readonly id: string
  readonly record: AnyRecord | null
}

const kinds = ["created", "updated", "deleted"] as const

/** What has happened to records, the newest first: each line with what it changed, and the way to its record's history. */
export default function Changes() {
  const text = useText()
  const t = text.changes
  const [parameters, set] = useParameters()
  const asked = {
    collection: parameters.get("collection"),
    kind: parameters.get("kind"),
    actor: parameters.get("actor"),
  }
  const collections = useQuery(collectionsQuery)
  const { data, error, isPending, refetch, ...query } = useInfiniteQuery({
    queryKey: ["changes", asked],
    initialPageParam: "now" as string | null,
    queryFn: ({ pageParam, signal }) =>
      read<Page<Change>>(
        pathWith("/changes", { ...asked, before: pageParam, differences: "true" }),
        signal,
      ),
    getNextPageParam: (page) => page.next,
  })
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query
  const { ref, entry } = useIntersection({ rootMargin: "400px" })
  // A page may be empty, and the log go on: whoever looks at its end waits for the next one.
  useEffect(() => {
    if (entry?.isIntersecting && hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [entry, hasNextPage, isFetchingNextPage, fetchNextPage])
  const described = new Map(collections.data?.items.map((one) => [one.name, one]))
  const items = data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Stack>
      <Title order={2}>{t.title}</Title>
      <Group align="flex-end" className="filters">
        <Select
          label={t.collection}
          placeholder={t.all}
          data={(collections.data?.items ?? []).filter((it) => !it.readOnly).map((it) => it.name)}
          value={asked.collection}
          onChange={(value) => set("collection", value ?? "")}
          clearable
        />
        <Select
          label={t.kind}
          placeholder={t.all}
          data={kinds.map((value) => ({ value, label: text.data.changeKinds[value] }))}
          value={asked.kind}
          onChange={(value) => set("kind", value ?? "")}
          clearable
        />
        <RelationInput
          label={t.actor}
          target="members"
          value={asked.actor}
          onChange={(value) => set("actor", value ?? "")}
        />
      </Group>
      {error && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {items.length > 0 && (
        <Stack
          gap="xs"
          role="feed"
          aria-label={t.title}
          aria-busy={isPending || isFetchingNextPage}
        >
          {items.map((change) => (
            <Line
              key={`${change.collection} ${change.id} ${change.version}`}
              change={change}
              collection={described.get(change.collection)}
            />
          ))}
        </Stack>
      )}
      {data && items.length === 0 && !hasNextPage && <Empty words={t.empty} />}
      {(isPending || hasNextPage) && !error && (
        <Center ref={ref} h={48}>
          {isPending || isFetchingNextPage ? (
            <Loader size="sm" role="status" aria-label={text.loading} />
          ) : (
            <Button variant="default" size="xs" onClick={() => void fetchNextPage()}>
              {text.more}
            </Button>
          )}
        </Center>
      )}
    </Stack>
  )
}

function Line(props: { change: Change; collection: CollectionDescription | undefined }) {
  const { change, collection } = props
  const text = useText()
  const title = collection && titleField(collection)
  const name = String((title && change.record?.[title]) ?? shortId(change.id))
  const path = `/data/${change.collection}`
  return (
    <Paper withBorder px="md" py="xs" component="article" className="log-line">
      <Group gap="xs" justify="space-between">
        <Anchor
          component={Link}
          size="sm"
          href={change.kind === "deleted" ? `${path}?bin=open` : `${path}/${change.id}?tab=history`}
          style={{ overflowWrap: "anywhere" }}
        >
          {change.collection} · {name}
        </Anchor>
        <Head item={change} />
      </Group>
      {collection && change.changes && (
        <Differences collection={collection} changes={change.changes} />
      )}
      {change.kind === "updated" && change.changes === null && (
        <Text size="sm" c="dimmed">
          {text.changes.elsewhere}
        </Text>
      )}
    </Paper>
  )
}
