import type Argon2 from "@phi-ag/argon2"
import type { App, UserActor } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { voidTokens } from "./account-tokens.ts"
import { assertUnlocked, attemptKeys, forgiveAttempt, reserveAttempt } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { tellPerson, wakeMail } from "./mails.ts"
import { hashPassword, verifyPassword } from "./passwords.ts"
import { type Person, personOf, selectMemberships, selectPerson } from "./person.ts"
import { endSessionsOf, updatedPerson, updatePerson } from "./person-update.ts"
import { commitPerson } from "./projection.ts"
import { endActing } from "./session-revocations.ts"
import { assertRecent } from "./step-up.ts"

interface PasswordChange {
  readonly password: string
  /** Without it, the session must have been opened not long ago. */
  readonly currentPassword?: string | undefined
}

/**
 * A new password, or the first one of a person who had none. The other sessions end; this one goes on with its next
 * refresh. Guesses of the current password count like those at sign-in. Two trips.
 *
 * @throws {Problem} `step_up_required`; `forbidden` for impersonators; `invalid_credentials`, `locked`, `rate_limited`
 * when a current password is given; `token_outdated`
 */
export async function changePassword(
  app: App,
  argon2: Argon2,
  actor: UserActor,
  { password, currentPassword }: PasswordChange,
  caller: Caller,
): Promise<void> {
  // Whoever knows the password has just proved who they are; but nobody does in another's name.
  assertRecent(app, actor, currentPassword === undefined ? undefined : Number.POSITIVE_INFINITY)
  const keys = attemptKeys(app.settings.secret, normaliseEmail(actor.email), caller.address)
  const rows = await app.directory.batch([
    ...(currentPassword === undefined ? [] : reserveAttempt(keys, app.now())),
    sessionProbe(actor),
    selectPerson(sql`id = ${actor.id}`),
    sql`SELECT passwordHash FROM users WHERE id = ${actor.id}`,
    selectMemberships(sql`${actor.id}`),
  ])
  const [session, found = [], hashes = [], memberships = []] = rows.slice(-4)
  assertSignedIn(actor, session)
  if (currentPassword !== undefined) {
    assertUnlocked(rows.at(-5) ?? [], keys, app.now())
    const phc = (hashes[0]?.passwordHash ?? null) as string | null
    if (!verifyPassword(argon2, phc, currentPassword, app.settings.passwordPeppers))
      throw new Problem("invalid_credentials")
  }
  const before = personOf(found[0] as Row, memberships)
  const update = { passwordHash: hashPassword(argon2, password, app.settings.passwordPeppers) }
  const after = updatedPerson(app, before, update)
  const writes = [
    refuse("outdated", sessionRefusal(actor)),
    ...updatePerson(before, after, update),
    ...(currentPassword === undefined ? [] : forgiveAttempt(keys)),
    endSessionsOf(app, actor.id, actor.session),
    voidTokens(actor.id, ["password_reset", "mail_link", "mail_code", "email_change"]),
    auditEvent(app, {
      kind: "password.changed",
      user: actor.id,
      actor,
      session: actor.session,
      caller,
    }),
    ...insertMails(app, [tellPerson(app, before, "passwordChanged")]),
  ]
  await commitChange(app, actor, writes, after)
  await endActing(app, after)
  wakeMail(app)
}

async function commitChange(
  app: App,
  actor: UserActor,
  writes: Parameters<typeof commitPerson>[2],
  after: Person,
): Promise<void> {
  try {
    await commitPerson(app, actor, writes, after)
  } catch (error) {
    // Another writer was faster: what was proved may no longer hold.
    if (error instanceof Refusal) throw new Problem("token_outdated", { cause: error })
    throw error
  }
}
