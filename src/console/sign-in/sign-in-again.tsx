import { Alert, Modal, Stack, Text } from "@mantine/core"
import { useState } from "react"
import type { User } from "../../client/session.ts"
import { backend } from "../backend.ts"
import { useText } from "../text.tsx"
import { SignIn } from "./sign-in.tsx"

/** Above the page of somebody whose session ended: what they were at is still there when they are back. */
export function SignInAgain({ user, onDone }: { user: User; onDone: () => void }) {
  const text = useText()
  const [stranger, setStranger] = useState(false)
  return (
    <Modal
      opened
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      size="sm"
      title={text.signIn.title}
    >
      <Stack>
        <Text size="sm">{text.signIn.expired}</Text>
        {stranger && <Alert color="red">{text.signIn.wrongPerson(user.email ?? "–")}</Alert>}
        <SignIn
          email={user.email ?? ""}
          onDone={(now) => {
            if (now.id === user.id) return onDone()
            setStranger(true)
            void backend.auth.signOut()
          }}
        />
      </Stack>
    </Modal>
  )
}
