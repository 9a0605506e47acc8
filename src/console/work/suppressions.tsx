import { Stack, TextInput, Title } from "@mantine/core"
import { ActionButton } from "../action-button.tsx"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { LineForm } from "../line-form.tsx"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"

export interface Suppression {
  readonly id: string
  readonly address: string
  readonly list: string | null
  readonly reason: string
  readonly createdAt: string
}

export const suppressionsPath = "/mails/suppressions"
const path = suppressionsPath
const changed = [[path]]

/** Addresses that get no mail, or none of a list. */
export function Suppressions() {
  const { text, language } = useLanguage()
  const t = text.mails
  return (
    <Stack gap="xs" component="section">
      <Title order={3} size="h4">
        {t.suppressions}
      </Title>
      <LineForm
        submit={t.suppress}
        work={({ address }) => write("POST", path, { address })}
        done={text.saved}
        changed={changed}
      >
        <TextInput label={t.address} name="address" type="email" required />
      </LineForm>
      <PagedTable<Suppression>
        path={path}
        keyOf={({ id }) => id}
        empty={t.noSuppressions}
        columns={[
          {
            head: t.address,
            cell: ({ address, list }) => (list ? `${address} (${list})` : address),
          },
          { head: t.reason, cell: ({ reason }) => t.reasons[reason] ?? reason },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <ActionButton
                label={t.lift}
                work={() => write("DELETE", `${path}/${id}`)}
                done={text.deleted}
                changed={changed}
              />
            ),
          },
        ]}
      />
    </Stack>
  )
}
