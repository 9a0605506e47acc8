import { Badge, Button, Code, Group, Loader, Select, Stack, Text } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { useParameters } from "../use-parameters.ts"
import { readable } from "./readable.ts"

const states = ["waiting", "retrying", "succeeded", "failed", "withheld"] as const

interface Delivery {
  readonly id: string
  readonly messageId: string
  readonly type: string
  readonly state: (typeof states)[number]
  readonly attempts: number
  readonly nextAt: string | null
  readonly createdAt: string
}

interface Attempt {
  readonly at: string
  readonly milliseconds: number
  readonly status: number | null
  readonly body: string | null
  readonly error: string | null
}

interface WholeDelivery extends Delivery {
  readonly body: string | null
  readonly log: readonly Attempt[]
}

/** What has been sent to an endpoint, and is to be; one of them when the address names it. `path` is the endpoint's. */
export function Deliveries({ path }: { path: string }) {
  const { text, language } = useLanguage()
  const [parameters, set] = useParameters()
  const { busy, run } = useAction()
  const t = text.webhooks
  const list = `${path}/deliveries`
  const open = parameters.get("delivery")
  if (open) return <DeliveryView path={list} id={open} onBack={() => set("delivery", "")} />
  const state = parameters.get("delivered")
  const sinceEver = { failedSince: "2000-01-01T00:00:00.000Z" }
  return (
    <Stack>
      <Group align="flex-end">
        <Select
          label={text.jobs.state}
          placeholder={text.jobs.all}
          data={states.map((value) => ({ value, label: t.states[value] }))}
          value={state}
          onChange={(value) => set("delivered", value ?? "")}
          clearable
        />
        <Button
          variant="default"
          loading={busy}
          onClick={() =>
            void run(() => write("POST", `${path}/replays`, sinceEver), {
              done: t.replayed,
              changed: [[list]],
            })
          }
        >
          {t.replayFailed}
        </Button>
      </Group>
      <PagedTable<Delivery>
        path={list}
        parameters={{ state }}
        keyOf={({ id }) => id}
        empty={t.noDeliveries}
        onOpen={({ id }) => set("delivery", id)}
        columns={[
          { head: t.event, cell: ({ type }) => type },
          { head: text.jobs.state, cell: (delivery) => <DeliveryState state={delivery.state} /> },
          { head: text.jobs.attempts, cell: ({ attempts }) => attempts },
          { head: text.audit.at, cell: ({ createdAt }) => moment(createdAt, language) },
        ]}
      />
    </Stack>
  )
}

function DeliveryState({ state }: { state: Delivery["state"] }) {
  const { text } = useLanguage()
  const colour = {
    waiting: "gray",
    retrying: "orange",
    succeeded: "fir",
    failed: "red",
    withheld: "gray",
  }[state]
  return (
    <Badge variant="light" color={colour}>
      {text.webhooks.states[state]}
    </Badge>
  )
}

function DeliveryView(props: { path: string; id: string; onBack: () => void }) {
  const { path, id, onBack } = props
  const { text, language } = useLanguage()
  const { data: delivery, error } = useQuery({
    queryKey: [path, id],
    queryFn: () => read<WholeDelivery>(`${path}/${id}`),
  })
  const { busy, run } = useAction()
  const t = text.webhooks
  if (error) return <ProblemNotice error={error} />
  if (!delivery) return <Loader role="status" aria-label={text.loading} />
  const replay = () => write("POST", `${path}/${id}/replays`)
  return (
    <Stack>
      <Group>
        <Button size="xs" variant="default" onClick={onBack}>
          {t.back}
        </Button>
        <Button
          size="xs"
          loading={busy}
          onClick={() => void run(replay, { done: t.replayed, changed: [[path]] })}
        >
          {t.replay}
        </Button>
      </Group>
      <Group>
        <Text fw={600}>{delivery.type}</Text>
        <DeliveryState state={delivery.state} />
        <Code>{delivery.messageId}</Code>
      </Group>
      {delivery.nextAt && (
        <Text size="sm">
          {text.jobs.next} {moment(delivery.nextAt, language)}
        </Text>
      )}
      <Text size="sm" fw={600}>
        {t.sent}
      </Text>
      {delivery.body === null ? (
        <Text size="sm" c="dimmed">
          {t.notKept}
        </Text>
      ) : (
        <Code block tabIndex={0} style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
          {readable(delivery.body)}
        </Code>
      )}
      <Text size="sm" fw={600}>
        {t.answers}
      </Text>
      {delivery.log.map((attempt) => (
        <Stack key={attempt.at} gap={4}>
          <Group gap="xs">
            <Badge variant="light" color={attempt.error ? "red" : "fir"}>
              {attempt.status ?? "–"}
            </Badge>
            <Text size="sm">
              {moment(attempt.at, language)} · {attempt.milliseconds} ms
            </Text>
          </Group>
          {attempt.error && <Text size="sm">{attempt.error}</Text>}
          {attempt.body && (
            <Code block tabIndex={0} style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
              {attempt.body}
            </Code>
          )}
        </Stack>
      ))}
    </Stack>
  )
}
