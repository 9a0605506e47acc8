import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { sql } from "../../platform/sql.ts"
import {
  assertUnlocked,
  attemptKeys,
  codeAttemptKeys,
  forgiveAttempt,
  reserveAttempt,
} from "./attempts.ts"
import type { Caller } from "./caller.ts"
import { type Challenge, challengeRefused, openChallenge, spendChallenge } from "./challenges.ts"
import { normaliseEmail } from "./email.ts"
import { opened } from "./open-with-factor.ts"
import { signInWithPasskey } from "./passkey-sign-in.ts"
import { type Person, personOf, selectMemberships, selectPerson, type User } from "./person.ts"
import { type GivenFactor, prove, selectForProof } from "./proofs.ts"
import type { Tokens } from "./sessions.ts"

/**
 * The session of whoever answers a challenge: of a first factor with the second one, or of a sign-in with a passkey alone.
 *
 * @throws {Problem} `token_invalid` for the challenge; `code_invalid`; `locked` or `rate_limited` with `Retry-After`;
 * as `openSession`
 */
export function answerChallenge(
  app: App,
  presented: string,
  given: GivenFactor,
  caller: Caller,
): Promise<Tokens & { user: User }> {
  const challenge = openChallenge(app, presented, "secondFactor", "passkeySignIn")
  if (challenge.purpose === "secondFactor") return completeWith(app, challenge, given, caller)
  if (given.kind !== "passkey") throw challengeRefused()
  return signInWithPasskey(app, challenge, given, caller)
}

/**
 * Two trips: the first counts the guess and reads the person anew, the second uses factor and challenge up and writes the
 * session.
 */
async function completeWith(
  app: App,
  challenge: Challenge<"secondFactor">,
  given: GivenFactor,
  caller: Caller,
): Promise<Tokens & { user: User }> {
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
  const proof = await prove(app, user, given, kept).catch((error) => {
    app.count("signIns", { outcome: "failed" })
    throw error
  })
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
