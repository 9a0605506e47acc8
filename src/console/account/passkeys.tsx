import { Badge, Checkbox, Group, TextInput } from "@mantine/core"
import { ActionButton } from "../action-button.tsx"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { LineForm } from "../line-form.tsx"
import { PagedTable } from "../paged-table.tsx"
import { createPasskey } from "../sign-in/passkey.ts"
import { useLanguage } from "../text.tsx"
import { recoveryPath } from "./recovery-codes.tsx"
import { Renamed } from "./renamed.tsx"
import { Section } from "./section.tsx"

interface Passkey {
  readonly id: string
  readonly name: string
  readonly secondFactor: boolean
  readonly createdAt: string
  readonly lastUsedAt: string | null
}

const path = "/auth/passkeys"
const changed = [[path], [recoveryPath]]

export function Passkeys({ onCodes }: { onCodes: (codes: readonly string[] | null) => void }) {
  const { text, language } = useLanguage()
  const t = text.account
  const add = async ({ name = "", secondFactor }: Readonly<Record<string, string>>) => {
    const made = await createPasskey(name, secondFactor !== undefined)
    onCodes(made.recoveryCodes ?? null)
  }
  return (
    <Section title={t.passkeys} hint={t.passkeysHint}>
      <PagedTable<Passkey>
        path={path}
        keyOf={({ id }) => id}
        empty={t.noPasskeys}
        columns={[
          {
            head: t.name,
            cell: ({ id, name, secondFactor }) => (
              <Group gap="xs">
                <Renamed
                  name={name}
                  work={(name) => write("PATCH", `${path}/${encodeURIComponent(id)}`, { name })}
                  changed={changed}
                />
                {secondFactor && <Badge variant="light">{text.signIn.secondFactor}</Badge>}
              </Group>
            ),
          },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
          { head: text.people.lastUsed, cell: ({ lastUsedAt }) => moment(lastUsedAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <ActionButton
                label={text.delete}
                work={() => write("DELETE", `${path}/${encodeURIComponent(id)}`)}
                done={text.deleted}
                changed={changed}
              />
            ),
          },
        ]}
      />
      <LineForm submit={t.addPasskey} work={add} done={text.created} changed={changed}>
        <TextInput
          label={t.passkeyName}
          name="name"
          required
          maxLength={100}
          className="line-input"
        />
        <Checkbox label={t.asSecondFactor} name="secondFactor" mb={8} />
      </LineForm>
    </Section>
  )
}
