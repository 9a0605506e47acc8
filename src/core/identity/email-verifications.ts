import type { App, UserActor } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { newMail } from "../mail/new-mail.ts"
import { accountLink } from "./account-links.ts"
import { insertToken, newAccountToken, voidTokens } from "./account-tokens.ts"
import { assertUnlocked, attemptKeys, reserveAttempt } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"
import { assertMailable } from "./mail-request.ts"
import { verifyEmail, wakeMail } from "./mails.ts"
import { type Person, personOf, selectPerson } from "./person.ts"
import { redeemToken } from "./token-redemption.ts"

/**
 * The token and its mail, for the batch that has a reason to send them. Nothing where the deployment does not say where
 * its links lead: nobody shall be unable to sign up for that.
 */
export function sendVerification(app: App, person: Person): Sql[] {
  if (app.settings.publicUrl === null) return []
  const { text, hash } = newAccountToken()
  const url = accountLink(app.settings, "email-verifications", text)
  const mail = newMail(
    verifyEmail,
    { user: person.id },
    { url },
    { cause: `email-verification/${app.newId()}`, locale: person.locale },
  )
  return [
    // A change of address voids it: it verifies none that came later.
    ...insertToken(app, { hash, purpose: "email_verification", user: person.id }),
    ...insertMails(app, [mail]),
  ]
}

/**
 * Mails a link that verifies the actor's address; nothing when it is verified. Two trips.
 *
 * @throws {Problem} `rate_limited` with `Retry-After`; `token_outdated`
 */
export async function requestVerification(
  app: App,
  actor: UserActor,
  caller: Caller,
): Promise<void> {
  const keys = attemptKeys(app.settings.secret, actor.id, caller.address, "email-verification")
  const rows = await app.directory.batch([
    ...reserveAttempt(keys, app.now()),
    sessionProbe(actor),
    selectPerson(sql`id = ${actor.id}`),
  ])
  const [counts = [], session, found = []] = rows.slice(-3)
  assertSignedIn(actor, session)
  assertMailable(() => assertUnlocked(counts, keys, app.now()))
  const person = found[0] && personOf(found[0], [])
  if (!person || person.emailVerifiedAt !== null) return
  await app.directory.batch(sendVerification(app, person))
  wakeMail(app)
}

/** @throws {Problem} `code_invalid`, `account_disabled` */
export async function confirmVerification(app: App, token: string): Promise<void> {
  await redeemToken(app, token, "email_verification", ({ id, emailVerifiedAt }) => ({
    emailVerifiedAt: emailVerifiedAt ?? new Date(app.now()).toISOString(),
    writes: () => [
      voidTokens(id, ["email_verification"]),
      auditEvent(app, { kind: "email.verified", user: id }),
    ],
  }))
}
