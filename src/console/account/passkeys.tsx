import { Button, Group, Stack, TextInput, Title } from "@mantine/core"
import type { FormEvent } from "react"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { createPasskey } from "../sign-in/passkey.ts"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"

interface Passkey {
  readonly id: string
  readonly name: string
  readonly createdAt: string
  readonly lastUsedAt: string | null
}

const path = "/auth/passkeys"
const changed = [[path]]

export function Passkeys() {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const t = text.account
  return (
    <Stack component="section" gap="xs">
      <Title order={3} size="h4">
        {t.passkeys}
      </Title>
      <PagedTable<Passkey>
        path={path}
        keyOf={({ id }) => id}
        empty={t.noPasskeys}
        columns={[
          { head: t.name, cell: ({ name }) => name },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
          { head: text.people.lastUsed, cell: ({ lastUsedAt }) => moment(lastUsedAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <Button
                size="compact-xs"
                variant="default"
                loading={busy}
                onClick={() =>
                  void run(() => write("DELETE", `${path}/${encodeURIComponent(id)}`), {
                    done: text.deleted,
                    changed,
                  })
                }
              >
                {text.delete}
              </Button>
            ),
          },
        ]}
      />
      <form
        onSubmit={(event: FormEvent<HTMLFormElement>) => {
          event.preventDefault()
          const form = event.currentTarget
          const name = String(new FormData(form).get("name"))
          void run(() => createPasskey(name, false), { done: text.created, changed }).then(
            (done) => done && form.reset(),
          )
        }}
      >
        <Group align="flex-end">
          <TextInput label={t.passkeyName} name="name" required />
          <Button type="submit" loading={busy}>
            {t.addPasskey}
          </Button>
        </Group>
      </form>
    </Stack>
  )
}
