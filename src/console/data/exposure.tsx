import {
  Anchor,
  Badge,
  Code,
  Group,
  Loader,
  Select,
  Stack,
  Table,
  Text,
  Title,
} from "@mantine/core"
import { keepPreviousData, useQuery } from "@tanstack/react-query"
import { Link } from "wouter"
import { pathWith, read } from "../backend.ts"
import { amount } from "../dates.ts"
import { ProblemNotice } from "../problem.tsx"
import { shortId } from "../short-id.ts"
import { useLanguage, useText } from "../text.tsx"
import { useParameters } from "../use-parameters.ts"
import { collectionsQuery } from "./collections.ts"
import { RelationInput } from "./relation-input.tsx"
import { Rules } from "./rules.tsx"

const actions = ["read", "create", "update", "delete"] as const

interface Reach {
  readonly action: (typeof actions)[number]
  readonly rule: "always" | "never" | "depends"
  readonly rows: number
  readonly without: readonly { readonly field: string; readonly rows: number }[]
}

interface Persona {
  readonly kind:
    | "anonymous"
    | "stranger"
    | "owner"
    | "role"
    | "member"
    | "outsider"
    | "administrator"
    | "person"
  readonly role: string | null
  readonly person: string | null
  readonly organisation: string | null
  readonly actions: readonly Reach[]
}

interface Exposure {
  readonly counted: number
  readonly bounded: boolean
  readonly personas: readonly Persona[]
}

/** Who reaches what of a collection, counted over its records; beside it the rules that make it so. */
export default function ExposurePage() {
  const text = useText()
  const t = text.exposure
  const [parameters, set] = useParameters()
  const collections = useQuery(collectionsQuery)
  const names = collections.data?.items.map(({ name }) => name) ?? []
  const name = parameters.get("collection") ?? names[0] ?? null
  const person = parameters.get("person")
  const collection = collections.data?.items.find((one) => one.name === name)
  const { data, error, isFetching } = useQuery({
    queryKey: ["/exposure", name, person],
    enabled: name !== null,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      read<Exposure>(pathWith("/exposure", { collection: name, person }), signal),
  })
  return (
    <Stack>
      <Group gap="xs">
        <Title order={2}>{t.title}</Title>
        {isFetching && <Loader size="xs" role="status" aria-label={text.loading} />}
      </Group>
      <Group align="flex-end" className="filters">
        <Select
          label={text.changes.collection}
          data={names}
          value={name}
          onChange={(value) => set("collection", value ?? "")}
          allowDeselect={false}
          searchable
        />
        <RelationInput
          label={t.person}
          target="members"
          value={person}
          onChange={(value) => set("person", value ?? "")}
        />
      </Group>
      {(error ?? collections.error) && <ProblemNotice error={error ?? collections.error} />}
      {data && <ExposureTable exposure={data} />}
      {collection && <Rules collection={collection} />}
    </Stack>
  )
}

function ExposureTable({ exposure }: { exposure: Exposure }) {
  const { text, language } = useLanguage()
  const { counted, bounded, personas } = exposure
  const t = text.exposure
  const labels = {
    read: text.data.read,
    create: text.data.createRule,
    update: text.data.updateRule,
    delete: text.data.deleteRule,
  }
  return (
    <>
      <Table.ScrollContainer minWidth={640}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.who}</Table.Th>
              {actions.map((action) => (
                <Table.Th key={action}>
                  <div className="capital">{labels[action]}</div>
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {personas.map((persona) => (
              <Table.Tr key={`${persona.kind} ${persona.role} ${persona.organisation}`}>
                <Table.Th scope="row" fw={400}>
                  <Who persona={persona} />
                </Table.Th>
                {actions.map((action) => (
                  <Table.Td key={action}>
                    <Reached
                      reach={persona.actions.find((one) => one.action === action)}
                      counted={counted}
                    />
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="sm" c="dimmed">
        {bounded ? t.bounded(amount(counted, language)) : t.counted(amount(counted, language))}{" "}
        {t.createHint}
      </Text>
    </>
  )
}

function Who({ persona }: { persona: Persona }) {
  const text = useText()
  const { kind, role, person, organisation } = persona
  const words = text.exposure.kinds[kind]
  return (
    <>
      {person ? (
        <Anchor component={Link} href={`/users/${person}`} size="sm">
          {words}
        </Anchor>
      ) : (
        <Text size="sm" span>
          {words}
        </Text>
      )}{" "}
      {role && kind !== "administrator" && <Badge variant="default">{role}</Badge>}
      {kind === "person" && organisation && (
        <Text size="xs" c="dimmed">
          {text.exposure.within(shortId(organisation))}
        </Text>
      )}
    </>
  )
}

/** In words where all or nothing is reached, else in numbers; and which fields stay hidden. */
function Reached({ reach, counted }: { reach: Reach | undefined; counted: number }) {
  const { text, language } = useLanguage()
  const t = text.exposure
  if (!reach) return <Text c="dimmed">–</Text>
  const { rule, rows, without } = reach
  const all = counted === 0 ? rule === "always" : rows === counted
  const none = counted === 0 ? rule === "never" : rows === 0
  const open = all ? "fir" : none ? "gray" : "orange"
  return (
    <Stack gap={2} align="flex-start">
      <Badge variant={none ? "default" : "light"} color={open} className="numbers">
        {all
          ? t.all
          : none
            ? rule === "depends"
              ? t.noneOfThese
              : t.none
            : counted === 0
              ? t.depends
              : t.some(amount(rows, language), amount(counted, language))}
      </Badge>
      {without.map(({ field, rows: hidden }) => (
        <Text key={field} size="xs" c="dimmed">
          {t.without} <Code>{field}</Code>
          {hidden < rows && ` ${t.inSome(amount(hidden, language))}`}
        </Text>
      ))}
    </Stack>
  )
}
