import {
  Alert,
  Badge,
  Button,
  Code,
  CopyButton,
  Drawer,
  Group,
  Modal,
  Stack,
  Title,
} from "@mantine/core"
import { useState } from "react"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { useParameters } from "../use-parameters.ts"
import { type Draft, EndpointForm } from "./endpoint-form.tsx"
import { EndpointView } from "./endpoint-view.tsx"
import { changed, type Endpoint, endpointsPath, type Issued } from "./webhook-endpoint.ts"

/** Where this deployment tells others what happens, and what became of it. */
export default function Webhooks() {
  const { text, language } = useLanguage()
  const [parameters, set] = useParameters()
  const { busy, run } = useAction()
  const [making, setMaking] = useState(false)
  const [issued, setIssued] = useState<Issued | null>(null)
  const open = parameters.get("endpoint")
  const t = text.webhooks
  const create = (draft: Draft) =>
    run(
      async () => {
        setIssued(await write<Issued>("POST", endpointsPath, draft))
        setMaking(false)
      },
      { changed },
    )
  const close = () => {
    set("delivery", "")
    set("endpoint", "")
  }
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2}>{t.title}</Title>
        <Button size="xs" onClick={() => setMaking(true)}>
          {t.new}
        </Button>
      </Group>
      {issued && <Secret issued={issued} onClose={() => setIssued(null)} />}
      <PagedTable<Endpoint>
        path={endpointsPath}
        keyOf={({ id }) => id}
        empty={t.empty}
        onOpen={({ id }) => set("endpoint", id)}
        columns={[
          { head: t.url, cell: ({ url }) => url },
          { head: t.events, cell: ({ events }) => events.join(", ") },
          { head: text.jobs.state, cell: (endpoint) => <EndpointState endpoint={endpoint} /> },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
        ]}
      />
      <Modal
        opened={making}
        onClose={() => setMaking(false)}
        title={t.new}
        size="lg"
        closeButtonProps={{ "aria-label": text.close }}
      >
        <EndpointForm busy={busy} onSubmit={(draft) => void create(draft)} />
      </Modal>
      <Drawer
        opened={open !== null}
        onClose={close}
        position="right"
        size="xl"
        title={t.one}
        closeButtonProps={{ "aria-label": text.close }}
      >
        {open && (
          <EndpointView id={open} onIssue={setIssued} onGone={close} state={EndpointState} />
        )}
      </Drawer>
    </Stack>
  )
}

function EndpointState({ endpoint }: { endpoint: Endpoint }) {
  const t = useLanguage().text.webhooks
  const { enabled, disabledReason, failures } = endpoint
  const colour = !enabled ? "red" : failures > 0 ? "orange" : "fir"
  return (
    <Badge variant="light" color={colour}>
      {!enabled ? t.reasons[disabledReason ?? "request"] : failures > 0 ? t.failing : t.enabled}
    </Badge>
  )
}

function Secret({ issued, onClose }: { issued: Issued; onClose: () => void }) {
  const { text } = useLanguage()
  const t = text.webhooks
  const shown = issued.secret ?? issued.publicKey ?? ""
  return (
    <Alert
      color="orange"
      title={issued.secret ? t.secretShown : t.publicKey}
      withCloseButton
      closeButtonLabel={text.close}
      onClose={onClose}
    >
      <Stack gap="xs">
        <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
          {shown}
        </Code>
        <CopyButton value={shown}>
          {({ copied, copy }) => (
            <Button size="xs" onClick={copy} w="fit-content">
              {copied ? text.copied : text.copy}
            </Button>
          )}
        </CopyButton>
      </Stack>
    </Alert>
  )
}
