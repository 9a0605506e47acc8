import { Alert, Button, Stack, Text, Title } from "@mantine/core"
import { useWindowEvent } from "@mantine/hooks"
import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { useLocation } from "wouter"
import { backend, isProblem, write } from "../backend.ts"
import { useTell, wordsFor } from "../problem.tsx"
import { readFragment } from "../sign-in/fragment.ts"
import { useText } from "../text.tsx"
import { isAdministrator, useUser } from "../user.tsx"

/**
 * Where the mail that invites to an organisation leads. The token stands behind the `#`, and is sent when the button is
 * pressed, in the body. It stays in the address: whoever is here under the wrong one signs out, and in with the right one.
 */
export default function InvitationPage() {
  const text = useText()
  const user = useUser()
  const tell = useTell()
  const queries = useQueryClient()
  const [, go] = useLocation()
  const [token, setToken] = useState(readFragment)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const t = text.invitation
  // The link to the content, for keyboards, stands behind the `#` as well.
  useWindowEvent("hashchange", () => {
    if (location.hash === "#content") return
    setToken(readFragment())
    setError(undefined)
  })
  async function accept(): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      const { name } = await write<{ name: string }>("POST", "/auth/invitations/acceptances", {
        token,
      })
      // With an access token that knows of it.
      await backend.auth.me()
      await queries.invalidateQueries()
      tell.done(t.accepted(name))
      go(isAdministrator(user) ? "/" : "/account", { replace: true })
    } catch (failure) {
      setError(failure)
      setBusy(false)
    }
  }
  const words =
    (isProblem(error) && t.refusals[error.code]) || wordsFor(error, text.problem.unexpected)
  return (
    <Stack maw={480} align="flex-start">
      <Title order={2}>{t.title}</Title>
      <Text>{t.signedIn(user.email ?? "–")}</Text>
      {token === "" && <Alert color="red">{t.incomplete}</Alert>}
      {error !== undefined && (
        <Alert color="red" role="alert">
          {words}
        </Alert>
      )}
      <Button disabled={token === ""} loading={busy} onClick={() => void accept()}>
        {t.accept}
      </Button>
    </Stack>
  )
}
