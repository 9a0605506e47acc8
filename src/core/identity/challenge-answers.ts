import type { App } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import {
  assertUnlocked,
  attemptKeys,
  codeAttemptKeys,
  forgiveAttempt,
  reserveAttempt,
} from "./attempts.ts"
import type { Caller } from "./caller.ts"
import { challengeRefused, openChallenge, spendChallenge } from "./challenges.ts"
import { normaliseEmail } from "./email.ts"
import { type Person, personOf, selectMemberships, selectPerson, type User } from "./person.ts"
import { type GivenFactor, prove, selectForProof } from "./proofs.ts"
import { openSession, type Tokens } from "./sessions.ts"

/**
 * The session of somebody whose first factor was right, and who now shows the second. Two trips: the first counts the
 * guess and reads the person anew, the second uses factor and challenge up and writes the session.
 *
 * @throws {Problem} `token_invalid` for the challenge; `code_invalid`; `locked` or `rate_limited` with `Retry-After`;
 * as `openSession`
 */
export async function answerChallenge(
  app: App,
  { challenge: presented, ...given }: GivenFactor & { readonly challenge: string },
  caller: Caller,
): Promise<Tokens & { user: User }> {
  const challenge = openChallenge(app, presented, "secondFactor")
  const { user, methods, organisation } = challenge
  const now = app.now()
  const keys = codeAttemptKeys(app.settings.secret, user, caller.address)
  const rows = await app.directory.batch([
    ...reserveAttempt(keys, now),
    selectPerson(sql`id = ${user}`),
    selectMemberships(sql`${user}`),
    selectForProof(app, user, given),
  ])
  const [counts, found, memberships, kept] = rows.slice(-4) as [Row[], Row[], Row[], Row[]]
  assertUnlocked(counts, keys, now)
  const person = found[0] && personOf(found[0], memberships)
  // A new password, or other roles, since the first factor: it has to be shown again.
  if (person?.epoch !== challenge.epoch) throw challengeRefused()
  const proof = await prove(app, user, given, kept)
  if (!proof) {
    app.count("signIns", { outcome: "failed" })
    throw new Problem("code_invalid")
  }
  return opened(app, {
    person,
    methods: [...methods, proof.method],
    caller,
    ...(organisation !== undefined && { organisation }),
    writes: [
      ...proof.writes,
      ...spendChallenge(app, challenge),
      ...forgiveAttempt(keys),
      // The password was right, but its attempt could not be taken back before now.
      ...(methods.includes("pwd") ? forgiveAttempt(passwordKeys(app, person, caller)) : []),
    ],
  })
}

const passwordKeys = (app: App, person: Person, caller: Caller) =>
  attemptKeys(app.settings.secret, normaliseEmail(person.email), caller.address)

/** `openSession`, where a factor or a challenge may turn out to be used up. */
export async function opened(
  app: App,
  signIn: Parameters<typeof openSession>[1],
): Promise<Tokens & { user: User }> {
  try {
    return await openSession(app, signIn)
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "used") throw new Problem("code_invalid")
    throw error
  }
}
