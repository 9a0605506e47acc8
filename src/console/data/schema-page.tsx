import { Anchor, Badge, Code, Group, Paper, Stack, Table, Text, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { Link } from "wouter"
import { ProblemNotice } from "../problem.tsx"
import { useText } from "../text.tsx"
import { type CollectionDescription, collectionsQuery } from "./collections.ts"
import { Rules } from "./rules.tsx"
import { SchemaDiagram } from "./schema-diagram.tsx"

/** All collections with their fields and rules, as a diagram and in words. */
export default function SchemaPage() {
  const text = useText()
  const { data, error } = useQuery(collectionsQuery)
  if (error) return <ProblemNotice error={error} />
  if (!data) return null
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
        </Group>
        {collection.description && <Text size="sm">{collection.description}</Text>}
        {collection.scope && <Text size="sm">{t.scoped}</Text>}
        <Table.ScrollContainer minWidth={480}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.field}</Table.Th>
                <Table.Th>{t.kind}</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {collection.fields.map(({ name, kind, required, options }) => (
                <Table.Tr key={name}>
                  <Table.Td>
                    <Code>{name}</Code>
                  </Table.Td>
                  <Table.Td>
                    {kind}
                    {options.target && ` → ${options.target}`}
                  </Table.Td>
                  <Table.Td>
                    {[
                      required && t.required,
                      options.choices?.join(" | "),
                      options.readable && `${t.read}: ${options.readable}`,
                      options.writable && `${t.updateRule}: ${options.writable}`,
                    ]
                      .filter(Boolean)
                      .join(" · ")}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
        <Rules collection={collection} />
      </Stack>
    </Paper>
  )
}
