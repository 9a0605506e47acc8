import { Button, Center, Loader, Table } from "@mantine/core"
import { useInfiniteQuery } from "@tanstack/react-query"
import type { ReactNode } from "react"
import { type Page, pathWith, read } from "./backend.ts"
import { Empty } from "./empty.tsx"
import { ProblemNotice } from "./problem.tsx"
import { useText } from "./text.tsx"

export interface Column<T> {
  readonly head: string
  readonly cell: (item: T) => ReactNode
}

interface Props<T> {
  readonly path: string
  readonly parameters?: Record<string, string | null | undefined>
  readonly columns: readonly Column<T>[]
  readonly keyOf: (item: T) => string
  readonly empty: string
  /** What can be done about its being empty. */
  readonly emptyAction?: ReactNode
  readonly onOpen?: (item: T) => void
}

/** A list of the API as a table, page by page; on a narrow screen each row is a card. Its query is keyed by its path, so that whoever changes it can say so. */
export function PagedTable<T>(props: Props<T>) {
  const { path, parameters = {}, columns, keyOf, empty, emptyAction, onOpen } = props
  const text = useText()
  const query = useInfiniteQuery({
    queryKey: [path, parameters],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      read<Page<T>>(pathWith(path, { ...parameters, cursor: pageParam }), signal),
    getNextPageParam: (page) => page.next ?? null,
  })
  const { data, error, isPending, hasNextPage, isFetchingNextPage } = query
  if (error) return <ProblemNotice error={error} onRetry={() => void query.refetch()} />
  if (isPending) return <Loader role="status" aria-label={text.loading} />
  const items = data.pages.flatMap((page) => page.items)
  if (items.length === 0) {
    return <Empty words={empty}>{emptyAction}</Empty>
  }
  return (
    <>
      <Table.ScrollContainer minWidth={columns.length * 120} className="paged">
        <Table highlightOnHover={onOpen !== undefined} verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              {columns.map(({ head }) => (
                <Table.Th key={head}>{head}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((item) => (
              <Table.Tr
                key={keyOf(item)}
                {...(onOpen && { onClick: () => onOpen(item), style: { cursor: "pointer" } })}
              >
                {columns.map(({ head, cell }, i) => (
                  <Table.Td key={head} data-head={head}>
                    {i === 0 && onOpen ? (
                      // A row that opens is reached by keyboard through its first cell.
                      <button type="button" className="plain-button" onClick={() => onOpen(item)}>
                        {cell(item)}
                      </button>
                    ) : (
                      <div>{cell(item)}</div>
                    )}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {hasNextPage && (
        <Center mt="sm">
          <Button
            variant="default"
            size="xs"
            loading={isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {text.more}
          </Button>
        </Center>
      )}
    </>
  )
}
