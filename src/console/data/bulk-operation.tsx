import { Alert, Anchor, Code, Group, Loader, Progress, Stack, Text } from "@mantine/core"
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query"
import { useEffect } from "react"
import { Link } from "wouter"
import { read } from "../backend.ts"
import { amount } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { refreshRecords } from "./refresh.ts"

/** What takes longer than a request, and how far it is. */
export interface BulkOperation {
  readonly id: string
  readonly kind: "import" | "update" | "delete"
  readonly collection: string
  readonly state: "running" | "succeeded" | "failed"
  readonly dryRun: boolean
  readonly total: number
  readonly rows: number
  readonly created: number
  readonly updated: number
  readonly unchanged: number
  readonly deleted: number
  readonly refused: number
  readonly problem: { readonly code: string; readonly detail: string } | null
}

interface Refusal {
  readonly line?: number
  readonly id?: string
  readonly detail: string
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
}

/** Asked again and again until it is over. */
export const operationQuery = (id: string) =>
  queryOptions({
    queryKey: ["bulk operation", id],
    queryFn: ({ signal }) => read<BulkOperation>(`/bulk-operations/${id}`, signal),
    refetchInterval: ({ state }) =>
      state.error || (state.data && state.data.state !== "running") ? false : 500,
  })

/** The operation of that id, if any; `onEnd` hears once that it is over. */
export function useOperation(
  id: string | null,
  onEnd?: (operation: BulkOperation) => void,
): BulkOperation | undefined {
  const queries = useQueryClient()
  const { data } = useQuery({ ...operationQuery(id ?? ""), enabled: id !== null })
  const over = data !== undefined && data.state !== "running"
  useEffect(() => {
    if (!over || !data) return
    if (!data.dryRun) void refreshRecords(queries, data.collection)
    onEnd?.(data)
  }, [over, id])
  return id === null ? undefined : data
}

/** How far it is, what came of it, and what was refused, with line or record and the reason. */
export function OperationReport({ id }: { id: string }) {
  const { text, language } = useLanguage()
  const { data, error, refetch } = useQuery(operationQuery(id))
  const t = text.bulk
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />
  if (!data) return <Loader role="status" aria-label={text.loading} />
  const n = (count: number) => amount(count, language)
  const running = data.state === "running"
  const counts = [
    ["created", data.created],
    ["updated", data.updated],
    ["deleted", data.deleted],
    ["unchanged", data.unchanged],
    ["refused", data.refused],
  ] as const
  const said = data.dryRun ? t.would : t.done
  const shown = counts.filter(([name, count]) => count > 0 || (name === "refused" && !running))
  return (
    <Stack gap="sm">
      {running && (
        <>
          <Progress
            value={data.total > 0 ? (100 * data.rows) / data.total : 0}
            aria-label={text.jobs.progress}
            animated
          />
          <Text size="sm" className="numbers">
            {t.progress(n(data.rows), n(data.total))}
          </Text>
        </>
      )}
      {data.problem && (
        <Alert color="red" role="alert" title={text.problem.title}>
          {data.problem.detail}
        </Alert>
      )}
      <Group gap="lg" role="status" className="numbers">
        {shown.map(([name, count]) => (
          <Text
            size="sm"
            key={name}
            c={name === "refused" && count > 0 ? "var(--mantine-color-error)" : undefined}
          >
            {said[name](n(count))}
          </Text>
        ))}
      </Group>
      {!running && data.refused > 0 && <Refusals operation={data} />}
    </Stack>
  )
}

function Refusals({ operation }: { operation: BulkOperation }) {
  const { text } = useLanguage()
  const isFile = operation.kind === "import"
  return (
    <PagedTable<Refusal>
      path={`/bulk-operations/${operation.id}/refusals`}
      keyOf={({ line, id }) => String(line ?? id)}
      empty={text.none}
      columns={[
        {
          head: isFile ? text.bulk.line : text.data.record,
          cell: ({ line, id }) =>
            id === undefined ? (
              <span className="numbers">{line}</span>
            ) : (
              <Anchor component={Link} size="sm" href={`/data/${operation.collection}/${id}`}>
                {id}
              </Anchor>
            ),
        },
        {
          head: text.bulk.reason,
          cell: ({ detail, errors = [] }) =>
            errors.length === 0
              ? detail
              : errors.map(({ path, message }) => (
                  <div key={path + message}>
                    <Code>{path}</Code> {message}
                  </div>
                )),
        },
      ]}
    />
  )
}
