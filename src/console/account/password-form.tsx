import { Button, PasswordInput, Stack, Title } from "@mantine/core"
import type { FormEvent } from "react"
import { write } from "../backend.ts"
import { useText } from "../text.tsx"
import { useAction } from "../use-action.ts"

export function PasswordForm() {
  const text = useText()
  const { busy, run } = useAction()
  const t = text.account
  return (
    <Stack component="section" gap="xs">
      <Title order={3} size="h4">
        {t.password}
      </Title>
      <form
        onSubmit={(event: FormEvent<HTMLFormElement>) => {
          event.preventDefault()
          const form = event.currentTarget
          const data = new FormData(form)
          const body = {
            currentPassword: String(data.get("current")),
            newPassword: String(data.get("new")),
          }
          void run(() => write("POST", "/auth/password-changes", body), { done: t.changed }).then(
            (done) => done && form.reset(),
          )
        }}
      >
        <Stack gap="xs" maw={320}>
          <PasswordInput
            label={t.currentPassword}
            name="current"
            autoComplete="current-password"
            required
          />
          <PasswordInput label={t.newPassword} name="new" autoComplete="new-password" required />
          <Button type="submit" loading={busy} w="fit-content">
            {t.password}
          </Button>
        </Stack>
      </form>
    </Stack>
  )
}
