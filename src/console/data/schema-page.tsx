import { Badge, Code, Group, Paper, Stack, Table, Text, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { Link } from "wouter"
import { ProblemNotice } from "../problem.tsx"
import { useText } from "../text.tsx"
import { type CollectionDescription, collectionsQuery, type RuleText } from "./collections.ts"
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
  const actions = [
    [t.read, collection.rules.read],
    [t.createRule, collection.rules.create],
    [t.updateRule, collection.rules.update],
    [t.deleteRule, collection.rules.delete],
  ] as const
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
            <Link href={`/data/${collection.name}`}>{collection.name}</Link>
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
        <Text size="sm" fw={600}>
          {t.rules}
        </Text>
        <Table>
          <Table.Tbody>
            {actions.map(([label, rule]) => (
              <Table.Tr key={label}>
                <Table.Td w={120}>{label}</Table.Td>
                <Table.Td>
                  <Rule rule={rule} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Stack>
    </Paper>
  )
}

function Rule({ rule }: { rule: RuleText | undefined }) {
  const text = useText()
  if (rule === undefined || rule === "false") return <Text size="sm">{text.data.nobody}</Text>
  if (rule === "true") return <Badge variant="default">{text.data.everybody}</Badge>
  if (typeof rule === "string") return <Code>{rule}</Code>
  return (
    <>
      <Code>{rule.before}</Code> → <Code>{rule.after}</Code>
    </>
  )
}
