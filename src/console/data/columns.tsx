import { Button, Checkbox, Popover, ScrollArea, Stack } from "@mantine/core"
import { useLocalStorage } from "@mantine/hooks"
import { useMemo } from "react"
import { Icon } from "../icon.tsx"
import { useText } from "../text.tsx"
import type { CollectionDescription, FieldDescription } from "./collections.ts"

const system: readonly FieldDescription[] = [
  { name: "id", kind: "text", required: true, options: {} },
  { name: "version", kind: "integer", required: true, options: {} },
  { name: "createdAt", kind: "datetime", required: true, options: {} },
  { name: "updatedAt", kind: "datetime", required: true, options: {} },
]

const possible = ({ fields }: CollectionDescription): FieldDescription[] => [
  ...fields.filter(({ kind }) => kind !== "backRelation"),
  ...system,
]

/** Six, and a file beside them: a picture says much in little room. */
function firstOf(fields: readonly FieldDescription[]): FieldDescription[] {
  const isFile = ({ kind }: FieldDescription) => kind === "file" || kind === "files"
  return [...fields.filter((one) => !isFile(one)).slice(0, 6), ...fields.filter(isFile).slice(0, 1)]
}

/** The columns that a person chose for a collection, kept in this browser; at first the first of its fields. */
export function useColumns(collection: CollectionDescription) {
  const all = useMemo(() => possible(collection), [collection])
  const [names, setNames] = useLocalStorage<string[]>({
    key: `hinterland console columns ${collection.name}`,
    defaultValue: [...firstOf(all).map(({ name }) => name), "updatedAt"],
    getInitialValueInEffect: false,
  })
  const columns = useMemo(() => all.filter(({ name }) => names.includes(name)), [all, names])
  return [columns, setNames] as const
}

export function ColumnMenu(props: {
  collection: CollectionDescription
  columns: readonly FieldDescription[]
  onChange: (names: string[]) => void
}) {
  const text = useText()
  const chosen = props.columns.map(({ name }) => name)
  return (
    <Popover position="bottom-end" trapFocus>
      <Popover.Target>
        <Button variant="default" size="xs" leftSection={<Icon name="columns" />}>
          {text.data.columns}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <ScrollArea.Autosize mah={400}>
          <Checkbox.Group
            value={chosen}
            onChange={(names) => names.length > 0 && props.onChange(names)}
          >
            <Stack gap="xs">
              {possible(props.collection).map(({ name }) => (
                <Checkbox key={name} value={name} label={name} size="sm" />
              ))}
            </Stack>
          </Checkbox.Group>
        </ScrollArea.Autosize>
      </Popover.Dropdown>
    </Popover>
  )
}
