import { Alert, Stack, Text, TextInput, Title } from "@mantine/core"
import { useState } from "react"
import { backend, write } from "../backend.ts"
import { LineForm } from "../line-form.tsx"
import { takeReturn, wordsForReturn } from "../sign-in/provider-return.ts"
import { useText } from "../text.tsx"
import { useUser } from "../user.tsx"
import { Authenticators } from "./authenticators.tsx"
import { Identities } from "./identities.tsx"
import { OwnSessions } from "./own-sessions.tsx"
import { Passkeys } from "./passkeys.tsx"
import { PasswordForm } from "./password-form.tsx"
import { RecoveryCodes } from "./recovery-codes.tsx"

/** One's own ways of signing in, and where one is signed in. */
export default function Account() {
  const text = useText()
  const user = useUser()
  const t = text.account
  const [returned] = useState(takeReturn)
  const [codes, setCodes] = useState<readonly string[] | null>(null)
  const rename = async ({ name }: Readonly<Record<string, string>>) => {
    await write("PATCH", "/auth/me", { name: name || null })
    await backend.auth.me()
  }
  return (
    <Stack gap="xl" maw={820}>
      <div>
        <Title order={2}>{t.title}</Title>
        <Text c="dimmed">{user.email}</Text>
      </div>
      {returned && (
        <Alert color="red" role="alert">
          {wordsForReturn(returned, text)}
        </Alert>
      )}
      <LineForm submit={text.save} work={rename} done={text.saved}>
        <TextInput
          key={user.name}
          label={text.signIn.name}
          name="name"
          defaultValue={user.name ?? ""}
          maxLength={200}
          autoComplete="name"
        />
      </LineForm>
      <Passkeys onCodes={setCodes} />
      <Authenticators onCodes={setCodes} />
      <RecoveryCodes codes={codes} onCodes={setCodes} />
      <Identities />
      <PasswordForm />
      <OwnSessions />
    </Stack>
  )
}
