import type { App, UserActor } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { type NewMail, newMail } from "../mail/new-mail.ts"
import { accountLink } from "./account-links.ts"
import { insertToken, newAccountToken, voidTokens } from "./account-tokens.ts"
import { kindWithAddress } from "./anonymous-upgrade.ts"
import { assertUnlocked, attemptKeys, reserveAttempt } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { releaseEmail, reserveEmail } from "./email-reservations.ts"
import { assertMailable } from "./mail-request.ts"
import {
  addressInUse,
  addressIsChanging,
  confirmNewAddress,
  tellPerson,
  wakeMail,
} from "./mails.ts"
import { sendRenewal } from "./password-resets.ts"
import { type Person, personOf, selectPerson } from "./person.ts"
import { endSessionsOf } from "./person-update.ts"
import { endActing } from "./session-revocations.ts"
import { assertRecent } from "./step-up.ts"
import { redeemToken } from "./token-redemption.ts"

/**
 * Mails a link to the new address, and to the old one, where it is verified, a link that undoes. Whether another account
 * has the new address makes no difference here: its person is told, and the actor waits for a mail that does not come.
 * Two trips.
 *
 * @throws {Problem} `step_up_required`, `forbidden` for impersonators; `rate_limited`; `token_outdated`; `invalid_input`
 */
export async function requestEmailChange(
  app: App,
  actor: UserActor,
  email: string,
  caller: Caller,
): Promise<void> {
  assertRecent(app, actor)
  const wanted = normaliseEmail(email)
  const keys = attemptKeys(app.settings.secret, wanted, caller.address, "email-change")
  const rows = await app.directory.batch([
    ...reserveAttempt(keys, app.now()),
    sessionProbe(actor),
    selectPerson(sql`id = ${actor.id}`),
    sql`SELECT 1 FROM users WHERE emailNormalised = ${wanted} AND id <> ${actor.id}`,
  ])
  const [counts = [], session, found = [], others = []] = rows.slice(-4)
  assertSignedIn(actor, session)
  assertMailable(() => assertUnlocked(counts, keys, app.now()))
  const person = personOf(found[0] ?? {}, [])
  const change = newAccountToken()
  const undo = newAccountToken()
  await app.directory.batch([
    // Only the last address that was asked for counts.
    voidTokens(person.id, ["email_change"]),
    ...insertToken(app, {
      hash: change.hash,
      purpose: "email_change",
      user: others.length > 0 ? null : person.id,
      data: { email },
    }),
    ...(person.kind === "anonymous"
      ? []
      : insertToken(app, {
          hash: undo.hash,
          purpose: "email_undo",
          user: person.id,
          data: { email: person.email, since: new Date(app.now() - dayMilliseconds).toISOString() },
        })),
    ...insertMails(app, mailsOf(app, person, { email, change, undo, taken: others.length > 0 })),
    auditEvent(app, { kind: "email.changeRequested", user: person.id, actor, caller }),
  ])
  wakeMail(app)
}

interface Asked {
  readonly email: string
  readonly change: { readonly text: string }
  readonly undo: { readonly text: string }
  readonly taken: boolean
}

function mailsOf(app: App, person: Person, { email, change, undo, taken }: Asked): NewMail[] {
  const { locale } = person
  const { settings } = app
  const cause = `email-change/${app.newId()}`
  const url = accountLink(settings, "email-changes", change.text)
  const toNew = taken
    ? newMail(addressInUse, { email }, {}, { cause, locale })
    : newMail(confirmNewAddress, { email }, { url }, { cause, locale })
  // A mistyped address is somebody else's mailbox: whoever reads it shall not be able to take the account back.
  if (person.emailVerifiedAt === null) return [toNew]
  const undoing = { url: accountLink(settings, "email-undos", undo.text) }
  const notice = { cause: `${cause}/notice`, locale }
  return [toNew, newMail(addressIsChanging, { email: person.email }, undoing, notice)]
}

/**
 * Gives the person the address that the link was sent to. Whatever was mailed to the old one is void, except the undoing.
 *
 * @throws {Problem} `code_invalid`, also when another account has taken the address meanwhile; `account_disabled`
 */
export async function confirmEmailChange(app: App, token: string): Promise<void> {
  await redeemToken(app, token, "email_change", (person, { email = "" }) => ({
    email,
    // Whoever had no account has one now; a password can follow.
    kind: kindWithAddress(person),
    emailVerifiedAt: new Date(app.now()).toISOString(),
    outdates: true,
    writes: () => [
      voidTokens(person.id, mailedToTheAddress),
      releaseEmail(email),
      ...(person.kind === "anonymous"
        ? [auditEvent(app, { kind: "user.upgraded", user: person.id })]
        : leaveAddress(app, person, email)),
    ],
  }))
  wakeMail(app)
}

const leaveAddress = (app: App, person: Person, email: string): Sql[] => [
  ...(isSame(email, person.email) ? [] : reserveEmail(app, person.id, person.email)),
  auditEvent(app, { kind: "email.changed", user: person.id }),
  ...insertMails(app, [tellPerson(app, person, "emailChanged", { email: person.email })]),
]

const isSame = (one: string, other: string): boolean =>
  normaliseEmail(one) === normaliseEmail(other)

const mailedToTheAddress = [
  "email_change",
  "email_verification",
  "password_reset",
  "mail_link",
  "mail_code",
] as const

/**
 * The old address says that this was not its person: it stays or comes back, and whoever has the account now is out.
 * Sessions and API keys end, the password is void, all links are, those by which this could be undone in turn among them;
 * and so are passkeys, identities and authenticators that came with the change, or up to a day before it.
 *
 * @throws {Problem} `code_invalid`, `account_disabled`
 */
export async function undoEmailChange(app: App, token: string): Promise<void> {
  const after = await redeemToken(
    app,
    token,
    "email_undo",
    (person, { email = "", since = "" }) => ({
      email,
      emailVerifiedAt: person.emailVerifiedAt ?? new Date(app.now()).toISOString(),
      passwordHash: null,
      writes: (after) => [
        endSessionsOf(app, person.id),
        voidTokens(person.id, mailedToTheAddress),
        // Only what came with this change or after it: a thief who changed the address once more must not undo the undoing.
        sql`DELETE FROM account_tokens WHERE user = ${person.id} AND purpose IN ('email_undo', 'email_reservation') AND createdAt >= ${new Date(Date.parse(since) + dayMilliseconds).toISOString()}`,
        ...expelled.map(
          (table) => sql`DELETE FROM ${table} WHERE user = ${person.id} AND createdAt >= ${since}`,
        ),
        sql`UPDATE api_keys SET revokedAt = ${new Date(app.now()).toISOString()} WHERE user = ${person.id} AND revokedAt IS NULL`,
        auditEvent(app, { kind: "email.changeUndone", user: person.id }),
        ...sendRenewal(app, after),
      ],
    }),
  )
  await endActing(app, after)
  wakeMail(app)
}

/** With which a thief would come back. What is older stays: a stolen mailbox alone must not take a second factor off. */
const expelled = [sql`passkeys`, sql`identities`, sql`authenticators`, sql`recovery_codes`]

const dayMilliseconds = 24 * 60 * 60 * 1_000
