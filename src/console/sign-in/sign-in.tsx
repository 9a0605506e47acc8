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
import { type ReactNode, useState } from "react"
import { useLocation } from "wouter"
import type { SignIn as Form, User } from "../../client/session.ts"
import { backend, isProblem, write } from "../backend.ts"
import { wordsFor } from "../problem.tsx"
import { useText } from "../text.tsx"
import { Fields } from "./fields.tsx"
import { invitationsPath } from "./fragment.ts"
import { askForPasskey } from "./passkey.ts"
import { takeReturn, wordsForReturn } from "./provider-return.ts"
import { Providers } from "./providers.tsx"

type Step =
  | { kind: "password" }
  | { kind: "mail"; sentTo: string | null }
  | { kind: "factor"; challenge: string; recovery: boolean }
  | { kind: "first" }
  | { kind: "account" }

/**
 * Every way in: password, passkey, mailed code, providers, second factors; the first administrator; and for whoever was
 * invited to an organisation, an account.
 */
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
  const [place] = useLocation()
  const invited = place === invitationsPath

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
  const make = ({ code, password = "", name }: Record<string, string>) =>
    attempt(async () => {
      const person = { email, password, ...(name && { name }) }
      if (code === undefined) await backend.auth.signUp(person)
      else await write("POST", "/auth/administrators", { ...person, code })
      onDone(await backend.auth.signIn({ email, password }))
    })

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
          {invited && <Text size="sm">{text.invitation.signIn}</Text>}
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
              onClick={() => setStep({ kind: invited ? "account" : "first" })}
            >
              {invited ? text.invitation.account : text.signIn.firstRun}
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
      {(step.kind === "first" || step.kind === "account") && (
        <Fields busy={busy} submit={text.create} onSubmit={make} below={back}>
          {step.kind === "first" ? (
            <>
              <Text size="sm">{text.signIn.firstRunHint}</Text>
              <TextInput label={text.signIn.oneTimeCode} name="code" autoComplete="off" required />
            </>
          ) : (
            <Text size="sm">{text.invitation.accountHint}</Text>
          )}
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

function titleOf({ kind }: Step, text: ReturnType<typeof useText>): string {
  if (kind === "factor") return text.signIn.secondFactor
  if (kind === "first") return text.signIn.firstRunTitle
  return kind === "account" ? text.invitation.account : text.signIn.title
}

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
