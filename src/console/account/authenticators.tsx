import { Alert, Button, Code, Group, Stack, Text, TextInput, Title } from "@mantine/core"
import { type FormEvent, useState } from "react"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"

interface Authenticator {
  readonly id: string
  readonly name: string
  readonly createdAt: string
  readonly confirmedAt: string | null
}

interface Started extends Authenticator {
  readonly secret: string
  readonly uri: string
}

const path = "/auth/authenticators"
const changed = [[path]]

export function Authenticators() {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const [started, setStarted] = useState<Started | null>(null)
  const [recoveryCodes, setRecoveryCodes] = useState<readonly string[] | null>(null)
  const t = text.account
  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const name = String(new FormData(event.currentTarget).get("name"))
    void run(async () => setStarted(await write<Started>("POST", path, { name })), { changed })
  }
  const confirm = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const code = String(new FormData(event.currentTarget).get("code"))
    void run(
      async () => {
        const confirmed = await write<{ recoveryCodes: string[] | null }>(
          "POST",
          `${path}/${started?.id}/confirmations`,
          { code },
        )
        setRecoveryCodes(confirmed.recoveryCodes)
        setStarted(null)
      },
      { done: text.saved, changed },
    )
  }
  return (
    <Stack component="section" gap="xs">
      <Title order={3} size="h4">
        {t.authenticators}
      </Title>
      <PagedTable<Authenticator>
        path={path}
        keyOf={({ id }) => id}
        empty={t.noAuthenticators}
        columns={[
          { head: t.name, cell: ({ name }) => name },
          { head: text.people.since, cell: ({ confirmedAt }) => moment(confirmedAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <Button
                size="compact-xs"
                variant="default"
                loading={busy}
                onClick={() =>
                  void run(() => write("DELETE", `${path}/${id}`), { done: text.deleted, changed })
                }
              >
                {text.delete}
              </Button>
            ),
          },
        ]}
      />
      {started ? (
        <form onSubmit={confirm}>
          <Stack gap="xs">
            <Text size="sm">{t.scan}</Text>
            <Code block>{started.secret}</Code>
            <Group align="flex-end">
              <TextInput label={text.signIn.code} name="code" required inputMode="numeric" />
              <Button type="submit" loading={busy}>
                {t.confirm}
              </Button>
            </Group>
          </Stack>
        </form>
      ) : (
        <form onSubmit={add}>
          <Group align="flex-end">
            <TextInput label={t.name} name="name" required />
            <Button type="submit" loading={busy}>
              {t.addAuthenticator}
            </Button>
          </Group>
        </form>
      )}
      {recoveryCodes && (
        <Alert
          color="orange"
          title={t.recoveryCodes}
          onClose={() => setRecoveryCodes(null)}
          withCloseButton
        >
          <Text size="sm">{t.recoveryHint}</Text>
          <Code block mt="xs">
            {recoveryCodes.join("\n")}
          </Code>
        </Alert>
      )}
    </Stack>
  )
}
