import { Alert, Stack, Title } from "@mantine/core"
import { useState } from "react"
import { takeReturn, wordsForReturn } from "../sign-in/provider-return.ts"
import { useText } from "../text.tsx"
import { Authenticators } from "./authenticators.tsx"
import { Identities } from "./identities.tsx"
import { OwnData } from "./own-data.tsx"
import { OwnSessions } from "./own-sessions.tsx"
import { Passkeys } from "./passkeys.tsx"
import { PasswordForm } from "./password-form.tsx"
import { Profile } from "./profile.tsx"
import { RecoveryCodes } from "./recovery-codes.tsx"

/** Who one is here, one's own ways of signing in, where one is signed in, and what is known of one. */
export default function Account() {
  const text = useText()
  const [returned] = useState(takeReturn)
  const [codes, setCodes] = useState<readonly string[] | null>(null)
  return (
    <Stack maw={820}>
      <Title order={2}>{text.account.title}</Title>
      {returned && (
        <Alert color="red" role="alert">
          {wordsForReturn(returned, text)}
        </Alert>
      )}
      <Profile />
      <PasswordForm />
      <Passkeys onCodes={setCodes} />
      <Authenticators onCodes={setCodes} />
      <RecoveryCodes codes={codes} onCodes={setCodes} />
      <Identities />
      <OwnSessions />
      <OwnData />
    </Stack>
  )
}
