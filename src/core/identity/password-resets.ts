import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { type NewMail, newMail } from "../mail/new-mail.ts"
import { accountLink } from "./account-links.ts"
import { insertToken, newAccountToken, voidTokens } from "./account-tokens.ts"
import { attemptKeys } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { normaliseEmail } from "./email.ts"
import { findMailable } from "./mail-request.ts"
import { renewPassword, resetPassword, tellPerson, wakeMail } from "./mails.ts"
import type { Person } from "./person.ts"
import { endSessionsOf } from "./person-update.ts"
import { endActing } from "./session-revocations.ts"
import { redeemToken } from "./token-redemption.ts"
import { expelStrangers } from "./unverified-account.ts"

/**
 * Mails a link to whoever has this address. Two trips and the same statements whether or not anybody does: nobody gets a
 * token that belongs to nobody, and a mail is written and thrown away.
 *
 * @throws {Problem} `rate_limited` with `Retry-After`
 */
export async function requestPasswordReset(app: App, email: string, caller: Caller): Promise<void> {
  const person = await findMailable(app, "password-reset", email, caller)
  const { tokens, mail } = resetMail(app, person, resetPassword)
  const event = auditEvent(
    app,
    { kind: "password.resetRequested", user: person?.id ?? null, caller },
    // Strangers shall not fill the audit log with what concerns nobody.
    sql`${person === null ? 0 : 1}`,
  )
  await app.directory.batch([...tokens, ...insertMails(app, person ? [mail] : []), event])
  wakeMail(app)
}

/** For the batch that takes a person's password away: the mail with which they choose another. */
export function sendRenewal(app: App, person: Person): Sql[] {
  const { tokens, mail } = resetMail(app, person, renewPassword)
  return [...tokens, ...insertMails(app, [mail])]
}

function resetMail(
  app: App,
  person: Person | null,
  template: typeof resetPassword,
): { tokens: Sql[]; mail: NewMail } {
  const user = person?.id ?? null
  const { text, hash } = newAccountToken()
  const mail = newMail(
    template,
    { user: user ?? "" },
    { url: accountLink(app.settings, "password-resets", text) },
    { cause: `password-reset/${app.newId()}`, locale: person?.locale ?? null },
  )
  return { tokens: insertToken(app, { hash, purpose: "password_reset", user }), mail }
}

/**
 * Gives the holder of the link a new password. Sessions end, links and codes that were mailed before are void, the lock
 * that guesses may have put on the account is taken off. Two trips.
 *
 * @param passwordHash makes the PHC string: called only for a token that is good, because it is slow
 * @throws {Problem} `code_invalid`, `account_disabled`
 */
export async function confirmPasswordReset(
  app: App,
  token: string,
  passwordHash: () => string,
  caller: Caller,
): Promise<void> {
  let phc: string | undefined
  const after = await redeemToken(app, token, "password_reset", (person) => {
    phc ??= passwordHash()
    const { writes, ...update } = passwordRenewal(app, person, phc, caller)
    return { ...update, writes: () => writes }
  })
  await endActing(app, after)
  wakeMail(app)
}

/** What becomes of a person whose password whoever reads their mail has chosen anew. */
export function passwordRenewal(app: App, person: Person, passwordHash: string, caller: Caller) {
  const { id } = person
  const keys = attemptKeys(app.settings.secret, normaliseEmail(person.email), caller.address)
  return {
    passwordHash,
    // Who holds the link got the mail.
    emailVerifiedAt: person.emailVerifiedAt ?? new Date(app.now()).toISOString(),
    writes: [
      endSessionsOf(app, id),
      ...expelStrangers(app, person),
      voidTokens(id, ["password_reset", "mail_link", "mail_code", "email_change"]),
      sql`DELETE FROM sign_in_attempts WHERE key = ${keys.account}`,
      auditEvent(app, { kind: "password.reset", user: id, caller }),
      ...insertMails(app, [tellPerson(app, person, "passwordChanged")]),
    ],
  }
}
