import {
  Alert,
  Anchor,
  Button,
  Center,
  Divider,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { type FormEvent, type ReactNode, useState } from "react"
import type { SignIn as Form, User } from "../../client/session.ts"
import { backend, isProblem, write } from "../backend.ts"
import { wordsFor } from "../problem.tsx"
import { useText } from "../text.tsx"
import { askForPasskey } from "./passkey.ts"
import { takeReturn, wordsForReturn } from "./provider-return.ts"

type Step =
  | { kind: "password" }
  | { kind: "mail"; sentTo: string | null }
  | { kind: "factor"; challenge: string; recovery: boolean }
  | { kind: "first" }

/** Every way in: password, passkey, mailed code, providers, second factors; and the first administrator. */
export function SignIn({ onDone, email: known }: { onDone: (user: User) => void; email?: string }) {
  const text = useText()
  const [returned] = useState(takeReturn)
  const [step, setStep] = useState<Step>(() =>
    returned?.challenge
      ? { kind: "factor", challenge: returned.challenge, recovery: false }
      : { kind: "password" },
  )
  const [email, setEmail] = useState(known ?? "")
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)

  async function attempt(work: () => Promise<void>): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      await work()
    } catch (failure) {
      const challenge = isProblem(failure, "second_factor_required") && failure.body.challenge
      if (typeof challenge === "string") setStep({ kind: "factor", challenge, recovery: false })
      else setError(failure)
    } finally {
      setBusy(false)
    }
  }
  const enter = (form: Form) => attempt(async () => onDone(await backend.auth.signIn(form)))
  const byPasskey = (challenge?: string) =>
    attempt(async () => onDone(await backend.auth.signIn(await askForPasskey(challenge))))

  const address = (
    <TextInput
      label={text.signIn.email}
      name="email"
      type="email"
      autoComplete="username webauthn"
      required
      readOnly={known !== undefined}
      value={email}
      onChange={(event) => setEmail(event.currentTarget.value)}
    />
  )
  const back = (
    <Anchor
      component="button"
      type="button"
      size="sm"
      onClick={() => setStep({ kind: "password" })}
    >
      {text.signIn.back}
    </Anchor>
  )

  return (
    <Frame
      title={titleOf(step, text)}
      within={known !== undefined}
      words={
        error !== undefined
          ? wordsFor(error, text.problem.unexpected)
          : returned && step.kind === "password"
            ? wordsForReturn(returned, text)
            : null
      }
    >
      {step.kind === "password" && (
        <>
          <Fields
            busy={busy}
            submit={text.signIn.submit}
            onSubmit={(data) => enter({ email, password: data.password ?? "" })}
          >
            {address}
            <PasswordInput
              label={text.signIn.password}
              name="password"
              autoComplete="current-password"
              required
            />
          </Fields>
          <Divider />
          <Button variant="default" loading={busy} onClick={() => byPasskey()}>
            {text.signIn.passkey}
          </Button>
          <Providers onFailed={setError} />
          <Anchor
            component="button"
            type="button"
            size="sm"
            onClick={() => setStep({ kind: "mail", sentTo: null })}
          >
            {text.signIn.byMail}
          </Anchor>
          {known === undefined && (
            <Anchor
              component="button"
              type="button"
              size="sm"
              onClick={() => setStep({ kind: "first" })}
            >
              {text.signIn.firstRun}
            </Anchor>
          )}
        </>
      )}
      {step.kind === "mail" && step.sentTo === null && (
        <Fields
          busy={busy}
          submit={text.signIn.send}
          onSubmit={() =>
            attempt(async () => {
              await write("POST", "/auth/mail-codes", { email })
              setStep({ kind: "mail", sentTo: email })
            })
          }
          below={back}
        >
          {address}
        </Fields>
      )}
      {step.kind === "mail" && step.sentTo !== null && (
        <Fields
          busy={busy}
          submit={text.signIn.submit}
          onSubmit={({ code = "" }) => enter({ email: step.sentTo as string, code })}
          below={back}
        >
          <Text size="sm">{text.signIn.mailed(step.sentTo)}</Text>
          <TextInput
            label={text.signIn.mailCode}
            name="code"
            inputMode="numeric"
            autoComplete="one-time-code"
            required
          />
        </Fields>
      )}
      {step.kind === "factor" && (
        <>
          <Fields
            busy={busy}
            submit={text.signIn.submit}
            onSubmit={({ code = "" }) =>
              enter(
                step.recovery
                  ? { challenge: step.challenge, recoveryCode: code }
                  : { challenge: step.challenge, code },
              )
            }
          >
            {!step.recovery && <Text size="sm">{text.signIn.secondFactorHint}</Text>}
            <TextInput
              key={String(step.recovery)}
              label={step.recovery ? text.signIn.recoveryCode : text.signIn.code}
              name="code"
              autoComplete="one-time-code"
              autoFocus
              required
            />
          </Fields>
          <Button variant="default" loading={busy} onClick={() => byPasskey(step.challenge)}>
            {text.signIn.passkey}
          </Button>
          {!step.recovery && (
            <Anchor
              component="button"
              type="button"
              size="sm"
              onClick={() => setStep({ ...step, recovery: true })}
            >
              {text.signIn.recovery}
            </Anchor>
          )}
          {back}
        </>
      )}
      {step.kind === "first" && (
        <Fields
          busy={busy}
          submit={text.create}
          onSubmit={({ code, password = "", name }) =>
            attempt(async () => {
              await write("POST", "/auth/administrators", {
                code,
                email,
                password,
                ...(name && { name }),
              })
              onDone(await backend.auth.signIn({ email, password }))
            })
          }
          below={back}
        >
          <Text size="sm">{text.signIn.firstRunHint}</Text>
          <TextInput label={text.signIn.oneTimeCode} name="code" autoComplete="off" required />
          {address}
          <TextInput label={text.signIn.name} name="name" autoComplete="name" />
          <PasswordInput
            label={text.signIn.password}
            name="password"
            autoComplete="new-password"
            required
          />
        </Fields>
      )}
    </Frame>
  )
}

const titleOf = (step: Step, text: ReturnType<typeof useText>): string =>
  step.kind === "factor"
    ? text.signIn.secondFactor
    : step.kind === "first"
      ? text.signIn.firstRunTitle
      : text.signIn.title

/** The whole page, or, `within` a dialog that has a title already, what it holds. */
function Frame(props: {
  title: string
  words: string | null
  within: boolean
  children: ReactNode
}) {
  const content = (
    <Stack>
      {!props.within && (
        <Title order={1} size="h3">
          {props.title}
        </Title>
      )}
      {props.words && (
        <Alert color="red" role="alert">
          {props.words}
        </Alert>
      )}
      {props.children}
    </Stack>
  )
  if (props.within) return content
  return (
    <Center mih="100vh" p="md" component="main">
      <Paper withBorder p="xl" w="100%" maw={400} radius="lg">
        {content}
      </Paper>
    </Center>
  )
}

function Fields(props: {
  busy: boolean
  submit: string
  onSubmit: (data: Record<string, string>) => void
  below?: ReactNode
  children: ReactNode
}) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const entries = [...new FormData(event.currentTarget)].map(([name, value]) => [
      name,
      String(value).trim(),
    ])
    props.onSubmit(Object.fromEntries(entries))
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        {props.children}
        <Button type="submit" loading={props.busy}>
          {props.submit}
        </Button>
        {props.below}
      </Stack>
    </form>
  )
}

/** Those that the deployment has set up; none is shown where it has none. */
function Providers({ onFailed }: { onFailed: (error: unknown) => void }) {
  const text = useText()
  const { data } = useQuery({ queryKey: ["providers"], queryFn: () => backend.auth.providers() })
  const goTo = async (name: string) =>
    location.assign(await backend.auth.beginSignInWith(name, location.pathname))
  return data?.map(({ name, label }) => (
    <Button key={name} variant="default" onClick={() => void goTo(name).catch(onFailed)}>
      {text.signIn.with(label)}
    </Button>
  ))
}
