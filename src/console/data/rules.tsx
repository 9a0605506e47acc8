import { Code, Group, Stack, Table, Text } from "@mantine/core"
import { useText } from "../text.tsx"
import type { CollectionDescription, RuleText } from "./collections.ts"
import { ruleInWords, type Words } from "./rule-words.ts"

/** Who may do what, in words, and as the definition says it. */
export function Rules({ collection }: { collection: CollectionDescription }) {
  const text = useText()
  const t = text.data
  const { rules, administrators } = collection
  const actions = [
    [t.read, rules.read],
    [t.createRule, rules.create],
    [t.updateRule, rules.update],
    [t.deleteRule, rules.delete],
  ] as const
  return (
    <div>
      <Text fw={600}>{t.rules}</Text>
      <Table verticalSpacing="xs" className="rules">
        <Table.Tbody>
          {actions.map(([label, rule]) => (
            <Table.Tr key={label}>
              <Table.Th scope="row">
                <div className="capital">{label}</div>
              </Table.Th>
              <Table.Td>
                <Rule rule={rule} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs" c="dimmed" mt="xs">
        {administrators === "pass" ? text.rule.administrators : text.rule.administratorsObey}
      </Text>
    </div>
  )
}

/** A rule in words; below them its text, where they leave anything to ask. */
export function Rule({ rule }: { rule: RuleText | undefined }) {
  const text = useText()
  if (typeof rule === "object") {
    return (
      <Stack gap={4}>
        {(["before", "after"] as const).map((when) => (
          <div key={when}>
            <Text size="xs" c="dimmed">
              {text.rule[when]}
            </Text>
            <Rule rule={rule[when]} />
          </div>
        ))}
      </Stack>
    )
  }
  const alternatives = ruleInWords(rule, text)
  if (alternatives === null) return <Code className="breakable">{rule}</Code>
  return (
    <>
      {alternatives.map((words, i) => (
        <Text size="sm" key={JSON.stringify(words)}>
          {i > 0 && `${text.rule.or} `}
          <Sentence words={i > 0 ? uncapitalised(words) : words} />
        </Text>
      ))}
      {rule !== undefined && rule !== "true" && rule !== "false" && (
        <Text size="xs" c="dimmed" ff="monospace" className="breakable">
          {rule}
        </Text>
      )}
    </>
  )
}

const uncapitalised = ([first, ...rest]: Words): Words =>
  typeof first === "string" ? [first.charAt(0).toLowerCase() + first.slice(1), ...rest] : rest

const Sentence = ({ words }: { words: Words }) =>
  words.map((piece, i) => (typeof piece === "string" ? piece : <Code key={i}>{piece.code}</Code>))

/** Who may read or write a field, where that is not whoever may the record. */
export function FieldRules(props: {
  readable?: string | undefined
  writable?: string | undefined
}) {
  const { data: t } = useText()
  const rules = [
    [t.read, props.readable],
    [t.updateRule, props.writable],
  ] as const
  return rules.map(
    ([label, rule]) =>
      rule !== undefined && (
        <Group key={label} gap="xs" wrap="nowrap" align="baseline">
          <Text size="sm" c="dimmed" className="capital" style={{ flexShrink: 0 }}>
            {label}
          </Text>
          <div>
            <Rule rule={rule} />
          </div>
        </Group>
      ),
  )
}
