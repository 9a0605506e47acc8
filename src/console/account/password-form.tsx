import { Button, PasswordInput, Stack } from "@mantine/core"
import type { FormEvent } from "react"
import { write } from "../backend.ts"
import { useText } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { Section } from "./section.tsx"

/** Without the current password it takes a fresh proof: that is how a person who has none chooses their first. */
export function PasswordForm() {
  const text = useText()
  const { busy, run } = useAction()
  const t = text.account
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const data = new FormData(form)
    const current = String(data.get("current"))
    const body = {
      ...(current && { currentPassword: current }),
      password: String(data.get("new")),
    }
    if (await run(() => write("POST", "/auth/password-changes", body), { done: t.changed })) {
      form.reset()
    }
  }
  return (
    <Section title={t.password} hint={t.passwordHint}>
      <form onSubmit={(event) => void submit(event)}>
        <Stack gap="sm" maw={320}>
          <PasswordInput
            label={t.currentPassword}
            description={t.currentPasswordHint}
            name="current"
            autoComplete="current-password"
          />
          <PasswordInput label={t.newPassword} name="new" autoComplete="new-password" required />
          <Button type="submit" variant="default" loading={busy} w="fit-content">
            {t.password}
          </Button>
        </Stack>
      </form>
    </Section>
  )
}
