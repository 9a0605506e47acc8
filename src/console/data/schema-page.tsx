import { Anchor, Badge, Code, Group, Loader, Paper, Stack, Table, Text, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { Link } from "wouter"
import { ProblemNotice } from "../problem.tsx"
import { useText } from "../text.tsx"
import {
  type CollectionDescription,
  collectionsQuery,
  type FieldDescription,
} from "./collections.ts"
import { FieldRules, Rules } from "./rules.tsx"
import { SchemaDiagram } from "./schema-diagram.tsx"

/** All collections with their fields and rules, as a diagram and in words. */
export default function SchemaPage() {
  const text = useText()
  const { data, error, refetch } = useQuery(collectionsQuery)
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />
  if (!data) return <Loader role="status" aria-label={text.loading} />
  return (
    <Stack>
      <Title order={2}>{text.nav.schema}</Title>
      <SchemaDiagram collections={data.items} />
      {data.items.map((collection) => (
        <CollectionInWords key={collection.name} collection={collection} />
      ))}
    </Stack>
  )
}

function CollectionInWords({ collection }: { collection: CollectionDescription }) {
  const text = useText()
  const t = text.data
  return (
    <Paper
      withBorder
      p="md"
      id={collection.name}
      className="landmark"
      component="section"
      aria-labelledby={`${collection.name}-title`}
    >
      <Stack gap="sm">
        <Group gap="xs">
          <Title order={3} size="h4" id={`${collection.name}-title`}>
            <Anchor component={Link} href={`/data/${collection.name}`} inherit>
              {collection.name}
            </Anchor>
          </Title>
          {collection.readOnly && <Badge variant="default">{t.readOnly}</Badge>}
          {collection.scope && <Badge variant="default">{t.scoped}</Badge>}
        </Group>
        {collection.description && <Text size="sm">{collection.description}</Text>}
        <Rules collection={collection} />
        <Text fw={600}>{t.fields}</Text>
        <Table.ScrollContainer minWidth={480} className="paged">
          <Table verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.field}</Table.Th>
                <Table.Th>{t.kind}</Table.Th>
                <Table.Th>{t.details}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {collection.fields.map((field) => (
                <FieldRow key={field.name} field={field} />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </Stack>
    </Paper>
  )
}

function FieldRow({ field: { name, kind, required, options } }: { field: FieldDescription }) {
  const { data: t } = useText()
  return (
    <Table.Tr>
      <Table.Td data-head={t.field}>
        <div>
          <Code>{name}</Code>
        </div>
      </Table.Td>
      <Table.Td data-head={t.kind}>
        <div>
          {kind}
          {options.target && ` → ${options.target}`}
        </div>
      </Table.Td>
      <Table.Td data-head={t.details}>
        <Stack gap={2}>
          {required && <Text size="sm">{t.required}</Text>}
          {options.choices && (
            <Text size="sm" c="dimmed">
              {options.choices.join(" · ")}
            </Text>
          )}
          <FieldRules readable={options.readable} writable={options.writable} />
        </Stack>
      </Table.Td>
    </Table.Tr>
  )
}
