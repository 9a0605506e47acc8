import { Code, Select, Table, Text } from "@mantine/core"
import { useText } from "../text.tsx"
import { type CollectionDescription, writableFields } from "./collections.ts"
import type { FilePreview } from "./file-preview.ts"

/** Each column of a file with its first values, and the field that it is for. */
export function Mapping(props: {
  collection: CollectionDescription
  preview: FilePreview
  mapping: Readonly<Record<string, string | null>>
  onChange: (column: string, field: string | null) => void
}) {
  const { collection, preview, mapping, onChange } = props
  const t = useText().import
  const fields = ["id", ...writableFields(collection).map(({ name }) => name)]
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table verticalSpacing="xs" captionSide="top">
        <Table.Caption ta="left">{t.mapping}</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.column}</Table.Th>
            <Table.Th w={200}>{t.field}</Table.Th>
            <Table.Th>{t.first}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {preview.names.map((column, at) => (
            <Table.Tr key={`${at} ${column}`}>
              <Table.Td>
                <Code>{column}</Code>
              </Table.Td>
              <Table.Td>
                <Select
                  size="xs"
                  aria-label={t.fieldOf(column)}
                  placeholder={t.ignore}
                  data={fields}
                  value={mapping[column] ?? null}
                  onChange={(field) => onChange(column, field)}
                  searchable
                  clearable
                />
              </Table.Td>
              <Table.Td>
                {preview.rows.slice(0, 3).map((row, i) => (
                  <Text key={i} size="sm" c="dimmed" lineClamp={1} maw={320}>
                    {row[at] || "–"}
                  </Text>
                ))}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
