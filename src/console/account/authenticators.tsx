import { Anchor, Code, Group, Stack, Text, TextInput } from "@mantine/core"
import { lazy, Suspense, useState } from "react"
import { ActionButton } from "../action-button.tsx"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { LineForm } from "../line-form.tsx"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { recoveryPath } from "./recovery-codes.tsx"
import { Section } from "./section.tsx"

const QrCode = lazy(() => import("./qr-code.tsx"))

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
const changed = [[path], [recoveryPath]]

export function Authenticators({
  onCodes,
}: {
  onCodes: (codes: readonly string[] | null) => void
}) {
  const { text, language } = useLanguage()
  const [started, setStarted] = useState<Started | null>(null)
  const t = text.account
  const confirm = async ({ code }: Readonly<Record<string, string>>) => {
    const confirmations = `${path}/${started?.id}/confirmations`
    const confirmed = await write<{ recoveryCodes: string[] | null }>("POST", confirmations, {
      code,
    })
    setStarted(null)
    onCodes(confirmed.recoveryCodes)
  }
  return (
    <Section title={t.authenticators} hint={t.authenticatorsHint}>
      <PagedTable<Authenticator>
        path={path}
        keyOf={({ id }) => id}
        empty={t.noAuthenticators}
        columns={[
          { head: t.name, cell: ({ name }) => name },
          {
            head: text.people.since,
            cell: ({ confirmedAt }) =>
              confirmedAt ? moment(confirmedAt, language) : t.notConfirmed,
          },
          {
            head: text.actions,
            cell: ({ id }) => (
              <ActionButton
                label={text.delete}
                work={() => write("DELETE", `${path}/${id}`)}
                done={text.deleted}
                changed={changed}
              />
            ),
          },
        ]}
      />
      {started ? (
        <Stack gap="xs">
          <Text size="sm">{t.scan}</Text>
          <Group align="flex-start">
            <Suspense fallback={<div className="qr-code" />}>
              <QrCode text={started.uri} label={t.qrCode} />
            </Suspense>
            <Stack gap="xs" flex={1} miw={220}>
              <Text size="sm">{t.orType}</Text>
              <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
                {started.secret}
              </Code>
              <Anchor href={started.uri} size="sm">
                {t.openApp}
              </Anchor>
            </Stack>
          </Group>
          <LineForm submit={t.confirm} work={confirm} done={text.saved} changed={changed} primary>
            <TextInput
              label={text.signIn.code}
              name="code"
              required
              inputMode="numeric"
              autoComplete="one-time-code"
              autoFocus
            />
          </LineForm>
        </Stack>
      ) : (
        <LineForm
          submit={t.addAuthenticator}
          work={async ({ name }) => setStarted(await write<Started>("POST", path, { name }))}
          changed={changed}
        >
          <TextInput label={t.name} name="name" required maxLength={100} className="line-input" />
        </LineForm>
      )}
    </Section>
  )
}
