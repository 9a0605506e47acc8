import { Center, Container, Loader } from "@mantine/core"
import { useQueryClient } from "@tanstack/react-query"
import { useEffect, useState } from "react"
import type { User } from "../client/session.ts"
import { backend } from "./backend.ts"
import { isLeaving, leave } from "./leave.ts"
import { ProblemNotice } from "./problem.tsx"
import { Shell } from "./shell.tsx"
import { ProofProvider } from "./sign-in/proof.tsx"
import { SignIn } from "./sign-in/sign-in.tsx"
import { SignInAgain } from "./sign-in/sign-in-again.tsx"
import { useText } from "./text.tsx"
import { UserProvider } from "./user.tsx"

/**
 * Who is here decides what is shown. When a session ends amid work the page stays as it is, with what was typed into it,
 * and asks for a sign-in above it.
 */
export function App({ arriving }: { arriving: Promise<User | null> }) {
  const text = useText()
  const [user, setUser] = useState<User | null>()
  const [ended, setEnded] = useState(false)
  const [error, setError] = useState<unknown>()
  const queries = useQueryClient()
  const id = user?.id
  // What one person has read is not for the next one at this screen.
  useEffect(() => {
    if (id !== undefined) return () => queries.clear()
  }, [id, queries])
  useEffect(() => {
    arriving.then(setUser, setError)
    return backend.auth.onChange((now) => {
      setUser((before) => {
        if (now || !before || isLeaving()) return now
        setEnded(true)
        return before
      })
      if (now) setEnded(false)
    })
  }, [arriving])
  if (error) {
    return (
      <Container component="main" size="xs" py="xl">
        <ProblemNotice error={error} onRetry={() => location.reload()} />
      </Container>
    )
  }
  if (user === undefined) {
    return (
      <Center h="100vh">
        <Loader role="status" aria-label={text.loading} />
      </Center>
    )
  }
  if (user === null) return <SignIn onDone={setUser} />
  return (
    <UserProvider value={user}>
      <ProofProvider>
        <Shell key={user.id} onSignOut={leave} />
      </ProofProvider>
      {ended && <SignInAgain user={user} onDone={() => setEnded(false)} />}
    </UserProvider>
  )
}
