import type { App, UserActor } from "../../platform/app.ts"
import { Refusal, UniqueViolation } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { voidTokens } from "./account-tokens.ts"
import { assertUnlocked, asTooMany, attemptKeys, reserveAttempt } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { refuseReserved } from "./email-reservations.ts"
import { sendVerification } from "./email-verifications.ts"
import { wakeMail } from "./mails.ts"
import { type Person, toUser, type User } from "./person.ts"
import { endSessionsOf } from "./person-update.ts"
import { changePerson } from "./users.ts"

interface NewCredentials {
  readonly email: string
  readonly passwordHash: string
  /** As it is, unless told. */
  readonly name?: string | null | undefined
}

/**
 * Counts a try before anything is hashed: the answer tells whether an address has an account, which nobody shall ask about
 * one address after the other. So many a session and a network within 15 minutes, exactly. One trip.
 *
 * @throws {Problem} `rate_limited` with `Retry-After`
 */
export async function countUpgrade(app: App, { id }: UserActor, caller: Caller): Promise<void> {
  const keys = attemptKeys(app.settings.secret, id, caller.address, "upgrade")
  const counts = await app.directory.batch(reserveAttempt(keys, app.now()))
  asTooMany("Too many addresses were tried.", () => {
    assertUnlocked(counts.at(-1) ?? [], keys, app.now())
  })
}

/**
 * Makes an account of an anonymous person: the same id, so that all they made stays theirs. Their access token is outdated,
 * their refresh token goes on, as that of somebody who has just shown a password; unless the deployment lets nobody sign in
 * with an address that is not confirmed, because rules may build on it: then they sign in when it is. After `countUpgrade`;
 * two trips.
 *
 * @throws {Problem} `conflict` when the address belongs to an account, and for whoever has one; `token_outdated`
 */
export async function takeCredentials(
  app: App,
  actor: UserActor,
  { email, passwordHash, name }: NewCredentials,
  caller: Caller,
): Promise<User> {
  try {
    const person = await changePerson(app, actor, actor.id, (before) => {
      if (before.kind !== "anonymous") {
        throw new Problem("conflict", "This account has credentials already.")
      }
      return {
        kind: "person" as const,
        email,
        passwordHash,
        ...(name !== undefined && { name }),
        guards: [refuseReserved(app, actor.id, email)],
        writes: [
          ...sessionsAfter(app, actor),
          // A link to another address that was asked for before would give the account away, with its password.
          voidTokens(actor.id, ["email_change"]),
          auditEvent(app, {
            kind: "user.upgraded",
            user: actor.id,
            actor,
            session: actor.session,
            caller,
          }),
          ...sendVerification(app, before),
        ],
      }
    })
    wakeMail(app)
    return toUser(person)
  } catch (error) {
    const reserved = error instanceof Refusal && error.outcome === "taken_address"
    if (reserved || error instanceof UniqueViolation) {
      throw new Problem("conflict", "An account with this e-mail address exists.")
    }
    throw error
  }
}

const sessionsAfter = (app: App, { id, session }: UserActor): Sql[] =>
  app.settings.requireVerifiedEmail
    ? [endSessionsOf(app, id)]
    : [
        endSessionsOf(app, id, session),
        sql`UPDATE sessions SET methods = '["pwd"]', authenticatedAt = ${new Date(app.now()).toISOString()} WHERE id = ${session}`,
      ]

/** What becomes of the kind of a person who gets an address of their own, in another way. */
export const kindWithAddress = ({ kind }: Person): Person["kind"] =>
  kind === "anonymous" ? "person" : kind
