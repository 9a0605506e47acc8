import {
  Alert,
  Badge,
  Button,
  Code,
  Drawer,
  Group,
  Loader,
  Stack,
  Tabs,
  Text,
  Title,
} from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { type Page, pathWith, read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import type { Person } from "../people/person.ts"
import { ProblemNotice } from "../problem.tsx"
import { StateFilter } from "../state-filter.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { useParameters } from "../use-parameters.ts"
import { type Suppression, Suppressions, suppressionsPath } from "./suppressions.tsx"

const states = ["waiting", "sending", "sent", "suppressed", "failed", "uncertain"] as const

interface Mail {
  readonly id: string
  readonly template: string
  readonly list: string | null
  readonly recipient: string | null
  readonly address: string | null
  readonly name: string | null
  readonly subject: string
  readonly state: (typeof states)[number]
  readonly attempts: number
  readonly driver: string | null
  readonly error: string | null
  readonly createdAt: string
  readonly sentAt: string | null
}

interface WholeMail extends Mail {
  readonly text: string
  readonly html: string
}

/** Every mail of the last 30 days: what it says, and what became of it. */
export default function Mails() {
  const { text, language } = useLanguage()
  const [parameters, set] = useParameters()
  const state = parameters.get("state") ?? ""
  const open = parameters.get("mail")
  const t = text.mails
  return (
    <Stack>
      <Title order={2}>{t.title}</Title>
      <StateFilter
        value={state}
        onChange={(value) => set("state", value)}
        states={states}
        words={t.states}
      />
      <PagedTable<Mail>
        path="/mails"
        parameters={{ state: state || null }}
        keyOf={({ id }) => id}
        empty={t.empty}
        emptyAction={
          state !== "" && (
            <Button size="xs" variant="default" onClick={() => set("state", "")}>
              {text.jobs.showAll}
            </Button>
          )
        }
        onOpen={({ id }) => set("mail", id)}
        columns={[
          { head: t.subject, cell: ({ subject }) => subject },
          { head: t.to, cell: ({ name, address }) => name ?? address ?? "–" },
          { head: t.state, cell: (mail) => <MailState state={mail.state} /> },
          { head: text.audit.at, cell: ({ createdAt }) => moment(createdAt, language) },
        ]}
      />
      <Suppressions />
      <Drawer
        opened={open !== null}
        onClose={() => set("mail", "")}
        position="right"
        size="xl"
        title={t.title}
      >
        {open && <MailView id={open} />}
      </Drawer>
    </Stack>
  )
}

function MailState({ state }: { state: Mail["state"] }) {
  const { text } = useLanguage()
  const colour = {
    sent: "fir",
    failed: "red",
    uncertain: "orange",
    suppressed: "orange",
    waiting: "gray",
    sending: "gray",
  }[state]
  return (
    <Badge variant="light" color={colour}>
      {text.mails.states[state] ?? state}
    </Badge>
  )
}

function MailView({ id }: { id: string }) {
  const { text, language } = useLanguage()
  const { data: mail, error } = useQuery({
    queryKey: ["/mails", id],
    queryFn: () => read<WholeMail>(`/mails/${id}`),
  })
  const { busy, run } = useAction()
  const t = text.mails
  if (error) return <ProblemNotice error={error} />
  if (!mail) return <Loader role="status" aria-label={text.loading} />
  return (
    <Stack>
      <Text fw={600}>{mail.subject}</Text>
      <Text size="sm">
        {t.to} {mail.name} {mail.address && <Code>{mail.address}</Code>} ·{" "}
        {moment(mail.createdAt, language)}
      </Text>
      <Alert title={t.why} color={mail.error ? "red" : "gray"}>
        <Group>
          <MailState state={mail.state} />
          {mail.sentAt && <Text size="sm">{moment(mail.sentAt, language)}</Text>}
          {mail.driver && <Code>{mail.driver}</Code>}
        </Group>
        {mail.error && (
          <Text size="sm" mt="xs">
            {mail.state === "suppressed" ? (t.reasons[mail.error] ?? mail.error) : mail.error}
          </Text>
        )}
        {mail.state !== "sent" && mail.state !== "sending" && (
          <Button
            mt="sm"
            size="xs"
            loading={busy}
            onClick={() =>
              void run(() => sendAgain(mail), {
                done: t.resent,
                changed: [["/mails"], [suppressionsPath]],
              })
            }
          >
            {mail.state === "suppressed" ? t.liftAndResend : t.resend}
          </Button>
        )}
      </Alert>
      <Tabs defaultValue="html">
        <Tabs.List>
          <Tabs.Tab value="html">{t.html}</Tabs.Tab>
          <Tabs.Tab value="text">{t.text}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="html" pt="sm">
          {/* Without any permission: nothing in it runs, and it reaches nothing. */}
          <iframe title={mail.subject} sandbox="" srcDoc={mail.html} className="mail-frame" />
        </Tabs.Panel>
        <Tabs.Panel value="text" pt="sm">
          <Code block style={{ whiteSpace: "pre-wrap" }}>
            {mail.text}
          </Code>
        </Tabs.Panel>
      </Tabs>
    </Stack>
  )
}

/** Has it delivered; of what a suppression holds back, that goes first. */
async function sendAgain(mail: WholeMail): Promise<void> {
  if (mail.state === "suppressed") await liftSuppressions(mail)
  await write("POST", `/mails/${mail.id}/deliveries`)
}

async function liftSuppressions({ address, recipient, list }: WholeMail): Promise<void> {
  const to = address ?? (recipient && (await read<Person>(`/auth/users/${recipient}`)).email)
  if (!to) return
  const { items } = await read<Page<Suppression>>(pathWith(suppressionsPath, { address: to }))
  for (const { id, list: of } of items) {
    if (of === null || of === list) await write("DELETE", `${suppressionsPath}/${id}`)
  }
}
