import { Alert, Button, Group, Loader, Stack, Tabs, Text } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import type { ComponentType } from "react"
import { read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { Deliveries } from "./deliveries.tsx"
import { EndpointForm } from "./endpoint-form.tsx"
import { changed, type Endpoint, endpointsPath, type Issued } from "./webhook-endpoint.ts"

interface Props {
  readonly id: string
  readonly onIssue: (issued: Issued) => void
  readonly onGone: () => void
  readonly state: ComponentType<{ endpoint: Endpoint }>
}

/** One endpoint: what was sent there, what it is, and what can be done with it. */
export function EndpointView({ id, onIssue, onGone, state: State }: Props) {
  const { text, language } = useLanguage()
  const path = `${endpointsPath}/${id}`
  const { data: endpoint, error } = useQuery({
    queryKey: [endpointsPath, id],
    queryFn: () => read<Endpoint>(path),
  })
  const { busy, run } = useAction()
  const t = text.webhooks
  if (error) return <ProblemNotice error={error} />
  if (!endpoint) return <Loader role="status" aria-label={text.loading} />
  const { enabled, pausedUntil, failures, failingSince } = endpoint
  const rotate = async () => onIssue(await write<Issued>("POST", `${path}/secrets`, {}))
  return (
    <Stack>
      <Group>
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>
          {endpoint.url}
        </Text>
        <State endpoint={endpoint} />
      </Group>
      {endpoint.description && <Text size="sm">{endpoint.description}</Text>}
      {failures > 0 && (
        <Alert color="orange" title={t.failing}>
          {t.failedSince(failures, moment(failingSince, language))}
          {pausedUntil && ` ${t.pausedUntil(moment(pausedUntil, language))}`}
        </Alert>
      )}
      <Group gap="xs">
        <Button
          size="xs"
          loading={busy}
          onClick={() =>
            void run(() => write("POST", `${path}/tests`), { done: t.tested, changed })
          }
        >
          {t.test}
        </Button>
        <Button
          size="xs"
          variant="default"
          loading={busy}
          onClick={() => void run(rotate, { done: t.rotated, changed })}
        >
          {t.rotate}
        </Button>
        <Button
          size="xs"
          variant="default"
          loading={busy}
          onClick={() =>
            void run(() => write("PATCH", path, { enabled: !enabled }), {
              done: text.saved,
              changed,
            })
          }
        >
          {enabled ? t.disable : t.enable}
        </Button>
        <Button
          size="xs"
          variant="light"
          color="red"
          loading={busy}
          onClick={() =>
            void run(() => write("DELETE", path), { done: text.deleted }).then((done) => {
              if (!done) return
              onGone()
              void run(async () => {}, { changed })
            })
          }
        >
          {text.delete}
        </Button>
      </Group>
      <Tabs defaultValue="deliveries" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="deliveries">{t.deliveries}</Tabs.Tab>
          <Tabs.Tab value="settings">{t.settings}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="deliveries" pt="sm">
          <Deliveries path={path} />
        </Tabs.Panel>
        <Tabs.Panel value="settings" pt="sm">
          <EndpointForm
            endpoint={endpoint}
            busy={busy}
            onSubmit={(draft) =>
              void run(() => write("PATCH", path, draft), { done: text.saved, changed })
            }
          />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  )
}
