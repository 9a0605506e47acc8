import { Badge, Code, Table, Text } from "@mantine/core"
import { useText } from "../text.tsx"
import type { CollectionDescription, RuleText } from "./collections.ts"

/** Who may do what, as the definition says it. */
export function Rules({ collection: { rules } }: { collection: CollectionDescription }) {
  const { data: t } = useText()
  const actions = [
    [t.read, rules.read],
    [t.createRule, rules.create],
    [t.updateRule, rules.update],
    [t.deleteRule, rules.delete],
  ] as const
  return (
    <>
      <Text size="sm" fw={600}>
        {t.rules}
      </Text>
      <Table>
        <Table.Tbody>
          {actions.map(([label, rule]) => (
            <Table.Tr key={label}>
              <Table.Td w={120}>{label}</Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>
                <Rule rule={rule} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </>
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
