import { Alert, Button, Group, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core"
import {
  createContext,
  type FormEvent,
  type ReactNode,
  useCallback,
  useContext,
  useRef,
  useState,
} from "react"
import { backend, isProblem } from "../backend.ts"
import { wordsFor } from "../problem.tsx"
import { useText } from "../text.tsx"
import { provePasskey } from "./passkey.ts"

/** Another dialog may be open below, with what was typed: an Escape here is not meant for it, as the library would have it. */
const above = { "data-mantine-stop-propagation": "true" }

type Prove = <T>(work: () => Promise<T>) => Promise<T>
const ProofContext = createContext<Prove | null>(null)

/** Does `work`; where the server answers `step_up_required`, asks for a fresh proof of who sits here, and does it again. */
export function useProof(): Prove {
  const prove = useContext(ProofContext)
  if (!prove) throw new Error("useProof needs a ProofProvider above it")
  return prove
}

export function ProofProvider({ children }: { children: ReactNode }) {
  const text = useText()
  const [asking, setAsking] = useState(false)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const answer = useRef<(proved: boolean) => void>(() => {})
  const prove = useCallback(async <T,>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (failure) {
      if (!isProblem(failure, "step_up_required")) throw failure
      setError(undefined)
      setAsking(true)
      const proved = await new Promise<boolean>((resolve) => {
        answer.current = resolve
      })
      setAsking(false)
      if (!proved) throw failure
      return work()
    }
  }, [])
  async function send(body: object): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      await backend.auth.prove({ ...body })
      answer.current(true)
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const code = String(data.get("code") ?? "").trim()
    void send(code ? { code } : { password: String(data.get("password") ?? "") })
  }
  return (
    <ProofContext value={prove}>
      {children}
      <Modal
        opened={asking}
        onClose={() => answer.current(false)}
        title={text.people.proofTitle}
        closeOnEscape={false}
        zIndex={400}
        closeButtonProps={{ "aria-label": text.close, ...above }}
        onKeyDown={(event) => event.key === "Escape" && answer.current(false)}
      >
        <form onSubmit={submit}>
          <Stack>
            <Text size="sm">{text.people.proofHint}</Text>
            {error !== undefined && (
              <Alert color="red" role="alert">
                {wordsFor(error, text.problem.unexpected)}
              </Alert>
            )}
            <PasswordInput
              label={text.signIn.password}
              name="password"
              autoComplete="current-password"
              data-autofocus
              {...above}
            />
            <TextInput
              label={text.people.proofCode}
              name="code"
              autoComplete="one-time-code"
              {...above}
            />
            <Group justify="space-between">
              <Button
                {...above}
                variant="default"
                onClick={() => void provePasskey().then(send, setError)}
              >
                {text.people.proofPasskey}
              </Button>
              <Button {...above} type="submit" loading={busy}>
                {text.account.confirm}
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </ProofContext>
  )
}
