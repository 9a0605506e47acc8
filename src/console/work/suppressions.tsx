import { Button, Group, Stack, TextInput, Title } from "@mantine/core"
import type { FormEvent } from "react"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"

interface Suppression {
  readonly id: string
  readonly address: string
  readonly list: string | null
  readonly reason: string
  readonly createdAt: string
}

const path = "/mails/suppressions"
const changed = [[path]]

/** Addresses that get no mail, or none of a list. */
export function Suppressions() {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const t = text.mails
  return (
    <Stack gap="xs" component="section">
      <Title order={3} size="h4">
        {t.suppressions}
      </Title>
      <form
        onSubmit={(event: FormEvent<HTMLFormElement>) => {
          event.preventDefault()
          const form = event.currentTarget
          const address = String(new FormData(form).get("address"))
          void run(() => write("POST", path, { address }), { done: text.saved, changed }).then(
            (done) => done && form.reset(),
          )
        }}
      >
        <Group align="flex-end">
          <TextInput label={t.address} name="address" type="email" required />
          <Button type="submit" variant="default" loading={busy}>
            {t.suppress}
          </Button>
        </Group>
      </form>
      <PagedTable<Suppression>
        path={path}
        keyOf={({ id }) => id}
        empty={t.noSuppressions}
        columns={[
          {
            head: t.address,
            cell: ({ address, list }) => (list ? `${address} (${list})` : address),
          },
          { head: t.reason, cell: ({ reason }) => reason },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
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
                {t.lift}
              </Button>
            ),
          },
        ]}
      />
    </Stack>
  )
}
