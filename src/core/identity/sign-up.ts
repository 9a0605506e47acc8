import type { App } from "../../platform/app.ts"
import {
  assertUnlocked,
  asTooMany,
  forgiveAttempt,
  reserveAttempt,
  signUpKeys,
} from "./attempts.ts"
import type { Caller } from "./caller.ts"
import { sendVerification } from "./email-verifications.ts"
import { wakeMail } from "./mails.ts"
import type { User } from "./person.ts"
import { createUser, type NewUser } from "./users.ts"

/**
 * Counts a sign-up before anything is hashed: its refusal tells that an address has an account, which nobody shall ask about
 * one address after the other. So many a network within 15 minutes, exactly; those that succeed are taken back. One trip:
 * a refused batch would take its count along.
 *
 * @throws {Problem} `rate_limited` with `Retry-After`
 */
export async function countSignUp(app: App, caller: Caller): Promise<void> {
  const keys = signUpKeys(app.settings.secret, caller.address)
  const counts = await app.directory.batch(reserveAttempt(keys, app.now()))
  asTooMany("Too many addresses were tried.", () => {
    assertUnlocked(counts.at(-1) ?? [], keys, app.now())
  })
}

/**
 * A new person, and in the same batch the mail that asks for their address to be confirmed. After `countSignUp`; one trip.
 *
 * @throws {Problem} `conflict` when the address, whatever its case, belongs to an account.
 */
export async function signUp(
  app: App,
  draft: NewUser & { readonly caller: Caller },
): Promise<User> {
  const keys = signUpKeys(app.settings.secret, draft.caller.address)
  const user = await createUser(app, draft, (person) => [
    ...sendVerification(app, person),
    ...forgiveAttempt(keys),
  ])
  wakeMail(app)
  return user
}
