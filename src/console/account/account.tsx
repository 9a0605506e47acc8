import { Stack, Title } from "@mantine/core"
import { useText } from "../text.tsx"
import { useUser } from "../user.tsx"
import { Authenticators } from "./authenticators.tsx"
import { OwnSessions } from "./own-sessions.tsx"
import { Passkeys } from "./passkeys.tsx"
import { PasswordForm } from "./password-form.tsx"

/** One's own ways of signing in, and where one is signed in. */
export default function Account() {
  const text = useText()
  const user = useUser()
  return (
    <Stack gap="xl" maw={820}>
      <div>
        <Title order={2}>{text.account.title}</Title>
        {user.email}
      </div>
      <Passkeys />
      <Authenticators />
      <PasswordForm />
      <OwnSessions />
    </Stack>
  )
}
