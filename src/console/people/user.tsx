import {
  Badge,
  Button,
  Group,
  Loader,
  Modal,
  Paper,
  Stack,
  Text,
  Textarea,
  Title,
} from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { type FormEvent, useEffect, useState } from "react"
import { useParams } from "wouter"
import { read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { Device } from "../device-name.tsx"
import { PagedTable } from "../paged-table.tsx"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { EventTable } from "./event-table.tsx"
import type { Person } from "./person.ts"
import { RolesInput } from "./roles-input.tsx"

interface Session {
  readonly id: string
  readonly userAgent: string | null
  readonly createdAt: string
  readonly lastUsedAt: string
}

interface Begun {
  readonly refreshToken: string
}

/** One person: what an administrator may see of them and do for or about them. */
export default function UserPage() {
  const { id = "" } = useParams()
  const { text, language } = useLanguage()
  const path = `/auth/users/${id}`
  const {
    data: person,
    error,
    refetch,
  } = useQuery({
    queryKey: [path],
    queryFn: () => read<Person>(path),
  })
  const { busy, run } = useAction()
  const [impersonating, setImpersonating] = useState(false)
  const t = text.people
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />
  if (!person) return <Loader role="status" aria-label={text.loading} />
  const changed = [[path], ["/auth/users"], [`${path}/sessions`], ["/auth/events"]]
  const patch = (body: object) =>
    run(() => write("PATCH", path, body), { done: text.saved, changed })
  return (
    <Stack>
      <Group gap="xs">
        <Title order={2}>{person.name ?? person.email}</Title>
        {person.disabledAt && <Badge color="red">{t.disabled}</Badge>}
      </Group>
      <Text size="sm" c="dimmed">
        {person.email} · {person.emailVerifiedAt ? t.verified : t.unverified} · {t.since}{" "}
        {moment(person.createdAt, language)}
      </Text>
      <Roles roles={person.roles} busy={busy} onSave={(roles) => patch({ roles })} />
      <Paper withBorder p="md">
        <Stack gap="sm">
          <Action
            hint={t.disableHint}
            label={person.disabledAt ? t.enable : t.disable}
            color={person.disabledAt ? "fir" : "red"}
            busy={busy}
            onClick={() => void patch({ disabled: !person.disabledAt })}
          />
          <Action
            hint={t.forceResetHint}
            label={t.forceReset}
            busy={busy}
            onClick={() =>
              void run(() => write("POST", `${path}/password-resets`), { done: t.done, changed })
            }
          />
          <Action
            hint={t.impersonateHint}
            label={t.impersonate}
            busy={busy}
            onClick={() => setImpersonating(true)}
          />
        </Stack>
      </Paper>
      <Group justify="space-between">
        <Title order={3} size="h4">
          {t.sessions}
        </Title>
        <Button
          size="xs"
          variant="default"
          loading={busy}
          onClick={() =>
            void run(() => write("DELETE", `${path}/sessions`), { done: t.done, changed })
          }
        >
          {t.endAll}
        </Button>
      </Group>
      <PagedTable<Session>
        path={`${path}/sessions`}
        keyOf={(session) => session.id}
        empty={t.noSessions}
        columns={[
          { head: t.device, cell: ({ userAgent }) => <Device userAgent={userAgent} /> },
          { head: t.since, cell: ({ createdAt }) => moment(createdAt, language) },
          { head: t.lastUsed, cell: ({ lastUsedAt }) => moment(lastUsedAt, language) },
        ]}
      />
      <Title order={3} size="h4">
        {t.events}
      </Title>
      <EventTable user={id} />
      <Modal opened={impersonating} onClose={() => setImpersonating(false)} title={t.impersonate}>
        <ImpersonationForm
          busy={busy}
          onSubmit={async (reason) => {
            const done = await run(async () => {
              const begun = await write<Begun>("POST", `${path}/impersonations`, { reason })
              // Its cookies come with the first refresh only: without them one would go on as oneself, unawares.
              await write("POST", "/auth/tokens", { refreshToken: begun.refreshToken })
            })
            // Everything on this page is somebody else's now.
            if (done) location.assign("/console/account")
          }}
        />
      </Modal>
    </Stack>
  )
}

function Action(props: {
  hint: string
  label: string
  color?: string
  busy: boolean
  onClick: () => void
}) {
  return (
    <Group justify="space-between" gap="xs">
      <Text size="sm" flex="1 1 16rem">
        {props.hint}
      </Text>
      <Button
        variant="light"
        size="xs"
        loading={props.busy}
        onClick={props.onClick}
        style={{ flexShrink: 0 }}
        {...(props.color && { color: props.color })}
      >
        {props.label}
      </Button>
    </Group>
  )
}

function Roles(props: {
  roles: readonly string[]
  busy: boolean
  onSave: (roles: string[]) => void
}) {
  const { text } = useLanguage()
  const [roles, setRoles] = useState([...props.roles])
  useEffect(() => setRoles([...props.roles]), [props.roles])
  const same = roles.join() === props.roles.join()
  return (
    <Group align="flex-end">
      <RolesInput value={roles} onChange={setRoles} />
      <Button loading={props.busy} disabled={same} onClick={() => props.onSave(roles)}>
        {text.people.saveRoles}
      </Button>
    </Group>
  )
}

function ImpersonationForm(props: { busy: boolean; onSubmit: (reason: string) => void }) {
  const { text } = useLanguage()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    props.onSubmit(String(new FormData(event.currentTarget).get("reason")))
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text size="sm">{text.people.impersonateHint}</Text>
        <Textarea label={text.people.reason} name="reason" required data-autofocus />
        <Button type="submit" loading={props.busy}>
          {text.people.impersonate}
        </Button>
      </Stack>
    </form>
  )
}
