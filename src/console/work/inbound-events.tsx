import {
  Alert,
  Badge,
  Button,
  Code,
  Drawer,
  Group,
  Loader,
  Stack,
  Table,
  Text,
  TextInput,
  Title,
} from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { Link } from "wouter"
import { read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { ProblemNotice } from "../problem.tsx"
import { StateFilter } from "../state-filter.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { useParameters } from "../use-parameters.ts"
import { readable } from "./readable.ts"

const states = ["waiting", "applied", "failed"] as const

interface InboundEvent {
  readonly id: string
  readonly source: string
  readonly eventId: string
  readonly type: string | null
  readonly state: (typeof states)[number]
  readonly sizeBytes: number
  readonly receivedAt: string
  readonly appliedAt: string | null
  readonly replays: number
  readonly job: string | null
  readonly attempts: number
  readonly runAt: string | null
}

interface WholeEvent extends InboundEvent {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly encoding: "utf8" | "base64"
  readonly error: string | null
}

const path = "/inbound-events"
const changed = [[path], ["/jobs"]]

/** What other services have told this deployment, and what became of it. */
export default function InboundEvents() {
  const { text, language } = useLanguage()
  const [parameters, set] = useParameters()
  const { busy, run } = useAction()
  const state = parameters.get("state") ?? ""
  const source = parameters.get("source") ?? ""
  const open = parameters.get("event")
  const t = text.inbound
  const replayFailed = () => write("POST", `${path}/replays`, source ? { source } : {})
  return (
    <Stack>
      <Title order={2}>{t.title}</Title>
      <Group align="flex-end">
        <TextInput
          label={t.source}
          value={source}
          onChange={({ currentTarget }) => set("source", currentTarget.value)}
        />
        <StateFilter
          value={state}
          onChange={(value) => set("state", value)}
          states={states}
          words={t.states}
        />
        <Button
          variant="default"
          loading={busy}
          onClick={() => void run(replayFailed, { done: t.replayed, changed })}
        >
          {t.replayFailed}
        </Button>
      </Group>
      <PagedTable<InboundEvent>
        path={path}
        parameters={{ state: state || null, source: source || null }}
        keyOf={({ id }) => id}
        empty={t.empty}
        onOpen={({ id }) => set("event", id)}
        columns={[
          { head: t.source, cell: (event) => event.source },
          { head: t.type, cell: ({ type }) => type ?? "–" },
          { head: text.jobs.state, cell: (event) => <EventState state={event.state} /> },
          { head: t.received, cell: ({ receivedAt }) => moment(receivedAt, language) },
        ]}
      />
      <Drawer
        opened={open !== null}
        onClose={() => set("event", "")}
        position="right"
        size="xl"
        title={t.one}
        closeButtonProps={{ "aria-label": text.close }}
      >
        {open && <EventView id={open} />}
      </Drawer>
    </Stack>
  )
}

function EventState({ state }: { state: InboundEvent["state"] }) {
  const { text } = useLanguage()
  const colour = { waiting: "gray", applied: "fir", failed: "red" }[state]
  return (
    <Badge variant="light" color={colour}>
      {text.inbound.states[state]}
    </Badge>
  )
}

function EventView({ id }: { id: string }) {
  const { text, language } = useLanguage()
  const { data: event, error } = useQuery({
    queryKey: [path, id],
    queryFn: () => read<WholeEvent>(`${path}/${id}`),
  })
  const { busy, run } = useAction()
  const t = text.inbound
  if (error) return <ProblemNotice error={error} />
  if (!event) return <Loader role="status" aria-label={text.loading} />
  const facts = [
    [t.eventId, event.eventId],
    [t.received, moment(event.receivedAt, language)],
    [t.applied, moment(event.appliedAt, language)],
    [text.jobs.attempts, String(event.attempts)],
    [t.replays, String(event.replays)],
  ] as const
  return (
    <Stack>
      <Group>
        <Text fw={600}>
          {event.source} · {event.type ?? "–"}
        </Text>
        <EventState state={event.state} />
      </Group>
      {event.error && (
        <Alert title={text.jobs.error} color="red">
          <Code block>{event.error}</Code>
        </Alert>
      )}
      <Facts rows={facts} />
      <Text size="sm" fw={600}>
        {t.headers}
      </Text>
      <Facts rows={Object.entries(event.headers)} />
      <Text size="sm" fw={600}>
        {event.encoding === "base64" ? t.bodyAsBase64 : t.body}
      </Text>
      <Code block tabIndex={0} style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
        {readable(event.body)}
      </Code>
      <Group>
        <Button
          loading={busy}
          onClick={() =>
            void run(() => write("POST", `${path}/${id}/replays`), { done: t.replayed, changed })
          }
        >
          {t.replay}
        </Button>
        {event.job && (
          <Button component={Link} href={`/jobs?job=${event.job}`} variant="default">
            {t.job}
          </Button>
        )}
      </Group>
    </Stack>
  )
}

function Facts({ rows }: { rows: readonly (readonly [string, string])[] }) {
  return (
    <Table verticalSpacing={4}>
      <Table.Tbody>
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th scope="row" style={{ width: "12rem" }}>
              {name}
            </Table.Th>
            <Table.Td style={{ overflowWrap: "anywhere" }}>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
