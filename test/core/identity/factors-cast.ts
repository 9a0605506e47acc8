import { expect } from "vitest"
import { codeAt, stepAt } from "../../../src/core/identity/totp.ts"
import { fromBase32 } from "../../support/base32.ts"
import { call, json, password, type SignedIn, signedIn } from "./cast.ts"

/** A person with an authenticator that counts. */
export interface Guarded extends SignedIn {
  readonly name: string
  readonly authenticator: string
  readonly secret: Uint8Array
  readonly recoveryCodes: string[]
}

/** The code that the app shows, or showed so many steps ago. */
export const codeOf = (secret: Uint8Array, steps = 0): string =>
  codeAt(secret, stepAt(Date.now()) + steps)

/** None of the three that are right now. */
export const wrongCodeOf = (secret: Uint8Array): string => {
  const right = [-1, 0, 1].map((steps) => codeOf(secret, steps))
  return ["000000", "111111", "222222", "333333"].find((code) => !right.includes(code)) as string
}

export interface Started {
  id: string
  secret: string
  uri: string
}

export const startAuthenticator = (token: string, name = "Phone") =>
  json<Started>(call("/auth/authenticators", { body: { name }, token }), 201)

/**
 * Signed up, with an authenticator. It was confirmed with the code of the step before, so that today's is still good.
 */
export async function guarded(name: string): Promise<Guarded> {
  const person = await signedIn(name)
  const { id, secret: text } = await startAuthenticator(person.accessToken)
  const secret = fromBase32(text)
  const { recoveryCodes } = await json<{ recoveryCodes: string[] }>(
    call(`/auth/authenticators/${id}/confirmations`, {
      body: { code: codeOf(secret, -1) },
      token: person.accessToken,
    }),
    201,
  )
  return { ...person, name, authenticator: id, secret, recoveryCodes }
}

export const firstFactor = (name: string, from = "192.0.2.1") =>
  call("/auth/sessions", {
    body: { email: `${name}@example.com`, password },
    headers: { "cf-connecting-ip": from },
  })

/** The challenge with which the first factor is answered. */
export async function challengeOf(name: string): Promise<string> {
  const problem = await json<{ code: string; challenge: string }>(firstFactor(name), 401)
  expect(problem.code).toBe("second_factor_required")
  return problem.challenge
}

export const answer = (body: object, from = "192.0.2.1") =>
  call("/auth/sessions", { body, headers: { "cf-connecting-ip": from } })

/** A session with both factors. */
export async function signInTwice({ name, secret }: Guarded, steps = 0): Promise<SignedIn> {
  const challenge = await challengeOf(name)
  return json<SignedIn>(answer({ challenge, code: codeOf(secret, steps) }), 201)
}
