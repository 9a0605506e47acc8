import { Button, Drawer, Group, Stack, Text } from "@mantine/core"
import { write } from "../backend.ts"
import { PagedTable } from "../paged-table.tsx"
import { useText } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { type CollectionDescription, titleField } from "./collections.ts"
import { Head, type VersionHead } from "./history.tsx"
import type { AnyRecord } from "./records.ts"

interface BinItem extends VersionHead {
  readonly id: string
  readonly record: AnyRecord
}

/** What was deleted, and can come back with all that was deleted along with it. */
export function Bin(props: { collection: CollectionDescription; onClose: () => void }) {
  const { collection, onClose } = props
  const text = useText()
  const { busy, run } = useAction()
  const title = titleField(collection)
  const path = `/records/${collection.name}`
  const restore = ({ id, version }: BinItem) =>
    run(() => write("POST", `${path}/${id}/restorations`, { version, together: true }), {
      done: text.data.restored,
      changed: [["records"], [`${path}/bin`]],
    })
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={text.data.bin}
      closeButtonProps={{ "aria-label": text.close }}
    >
      <Stack>
        <PagedTable<BinItem>
          path={`${path}/bin`}
          keyOf={({ id, version }) => `${id} ${version}`}
          empty={text.data.binEmpty}
          columns={[
            {
              head: text.data.record,
              cell: (item) => (
                <>
                  <Text size="sm">{String((title && item.record[title]) ?? item.id)}</Text>
                  <Head item={item} />
                </>
              ),
            },
            {
              head: text.actions,
              cell: (item) => (
                <Group justify="flex-end">
                  <Button
                    size="compact-xs"
                    variant="default"
                    loading={busy}
                    onClick={() => void restore(item)}
                  >
                    {text.data.restore}
                  </Button>
                </Group>
              ),
            },
          ]}
        />
      </Stack>
    </Drawer>
  )
}
