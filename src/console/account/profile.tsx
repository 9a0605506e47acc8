import { Alert, Badge, Group, Text, TextInput } from "@mantine/core"
import { useState } from "react"
import { ActionButton } from "../action-button.tsx"
import { backend, write } from "../backend.ts"
import { LineForm } from "../line-form.tsx"
import { useText } from "../text.tsx"
import { useUser } from "../user.tsx"
import { Section } from "./section.tsx"

/** How one is called, and where one's mail goes. */
export function Profile() {
  const text = useText()
  const user = useUser()
  const t = text.account
  const rename = async ({ name }: Readonly<Record<string, string>>) => {
    await write("PATCH", "/auth/me", { name: name || null })
    await backend.auth.me()
  }
  return (
    <>
      <Section title={t.profile}>
        <LineForm submit={text.save} work={rename} done={text.saved}>
          <TextInput
            key={user.name}
            label={text.signIn.name}
            name="name"
            defaultValue={user.name ?? ""}
            maxLength={200}
            autoComplete="name"
            className="line-input"
          />
        </LineForm>
      </Section>
      <Section title={text.signIn.email} hint={t.emailHint}>
        <Group gap="xs">
          <Text className="breakable">{user.email}</Text>
          {user.emailVerifiedAt ? (
            <Badge variant="light">{text.people.verified}</Badge>
          ) : (
            <>
              <Badge variant="light" color="orange">
                {text.people.unverified}
              </Badge>
              <ActionButton
                label={t.verify}
                work={() => write("POST", "/auth/email-verifications")}
                done={t.verifySent}
              />
            </>
          )}
        </Group>
        <EmailChange />
      </Section>
    </>
  )
}

/** The address changes when its link is used, not before: a mistyped one locks nobody out. */
function EmailChange() {
  const text = useText()
  const t = text.account
  const [sentTo, setSentTo] = useState<string | null>(null)
  const request = async ({ email = "" }: Readonly<Record<string, string>>) => {
    await write("POST", "/auth/email-changes", { email })
    setSentTo(email)
  }
  return (
    <>
      <LineForm submit={t.changeEmail} work={request}>
        <TextInput
          label={t.newEmail}
          name="email"
          type="email"
          required
          maxLength={254}
          autoComplete="email"
          className="line-input"
        />
      </LineForm>
      {sentTo && (
        <Alert
          role="status"
          withCloseButton
          onClose={() => setSentTo(null)}
          closeButtonLabel={text.close}
        >
          {t.emailSent(sentTo)}
        </Alert>
      )}
    </>
  )
}
