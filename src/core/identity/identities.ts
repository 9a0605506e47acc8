import type { App, UserActor } from "../../platform/app.ts"
import { UniqueViolation } from "../../platform/database.ts"
import type { IdentityProvider } from "../../platform/identity-provider-settings.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { auditEvent } from "./audit.ts"
import {
  type Begun,
  beginAuthorization,
  type Destination,
  type Linking,
  type Ticket,
} from "./authorizations.ts"
import type { Caller } from "./caller.ts"
import { spendChallenge } from "./challenges.ts"
import { assertSignedIn, refuse, sessionProbe } from "./directory-guard.ts"
import { changeFactors, maxFactors, writeFactors } from "./factor-guard.ts"
import { type Identity, identityOf, insertIdentity, selectIdentities } from "./linked-identities.ts"
import { tellPerson, wakeMail } from "./mails.ts"
import type { ProvedIdentity } from "./proved-identity.ts"

/** All of the actor's, the oldest first. One trip. @throws {Problem} `token_outdated` */
export async function listIdentities(app: App, actor: UserActor): Promise<Identity[]> {
  const [session, rows = []] = await app.directory.batch([
    sessionProbe(actor),
    selectIdentities(actor.id),
  ])
  assertSignedIn(actor, session)
  return rows.map(identityOf)
}

/**
 * Sends the actor to a provider, in order to link who they are there. The recent proof is asked for now: they come back
 * with none. One trip.
 *
 * @throws {Problem} as `changeFactors` and `beginAuthorization`
 */
export async function beginLinking(
  app: App,
  actor: UserActor,
  provider: IdentityProvider,
  destination: Destination,
): Promise<Begun> {
  const { id, session, epoch, methods, authenticatedAt } = actor
  const [users] = await changeFactors(app, actor, [sql`SELECT locale FROM users WHERE id = ${id}`])
  const locale = users?.[0]?.locale as string | null
  const linking: Linking = { id, session, epoch, methods, authenticatedAt, locale }
  return beginAuthorization(app, provider, destination, linking)
}

/**
 * Links an identity to the person of the session that set out for it, while that session lives. One trip.
 *
 * @throws {Problem} `email_unverified` when the provider does not vouch for the address; `conflict` when it is linked
 * already, to whomever, and beyond `maxFactors`; `code_invalid` for a ticket that was used; as `writeFactors`
 */
export async function linkIdentity(
  app: App,
  ticket: Ticket & { readonly linking: Linking },
  proved: ProvedIdentity,
  caller: Caller,
): Promise<Identity> {
  const { id: user, session, locale } = ticket.linking
  const { verifiedEmail: email } = proved
  if (email === null) {
    throw new Problem("email_unverified", "The provider does not say that your address is yours.")
  }
  const { identity, writes } = insertIdentity(app, proved, { user, email, session, caller })
  try {
    await writeFactors(app, actorOf(ticket.linking), [
      refuse("full", sql`(SELECT count(*) FROM identities WHERE user = ${user}) >= ${maxFactors}`),
      ...spendChallenge(app, ticket),
      ...writes,
      ...insertMails(app, [
        tellPerson(app, { id: user, locale }, "identityLinked", { detail: proved.provider }),
      ]),
    ])
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error
    throw new Problem("conflict", "This identity is linked to an account already.")
  }
  wakeMail(app)
  return identity
}

/** Its session is all that a ticket acts for: no role, no organisation. */
const actorOf = ({ locale: _, ...session }: Linking): UserActor => ({
  ...session,
  kind: "user",
  email: "",
  roles: [],
  organisation: null,
  database: "main",
  impersonator: null,
})

/**
 * Not the last way to sign in: a mailed code is not counted as one, because the mailbox is often the provider's. Two trips.
 *
 * @throws {Problem} `not_found`; `conflict` for the last way; as `changeFactors`
 */
export async function unlinkIdentity(
  app: App,
  actor: UserActor,
  id: string,
  caller: Caller,
): Promise<void> {
  const { id: user, session } = actor
  const own = sql`FROM identities WHERE id = ${id} AND user = ${user}`
  const otherWays = sql`EXISTS (SELECT 1 FROM users WHERE id = ${user} AND passwordHash IS NOT NULL)
OR EXISTS (SELECT 1 FROM passkeys WHERE user = ${user} AND secondFactor = 0)
OR EXISTS (SELECT 1 FROM identities WHERE user = ${user} AND id <> ${id})`
  const [found, users] = await changeFactors(app, actor, [
    sql`SELECT provider ${own}`,
    sql`SELECT locale FROM users WHERE id = ${user}`,
  ])
  const provider = found?.[0]?.provider as string | undefined
  if (provider === undefined) throw new Problem("not_found")
  const locale = users?.[0]?.locale as string | null
  await changeFactors(app, actor, [
    refuse("not_found", sql`NOT EXISTS (SELECT 1 ${own})`),
    refuse("last", sql`NOT (${otherWays})`),
    sql`DELETE ${own}`,
    auditEvent(app, {
      kind: "identity.unlinked",
      user,
      actor,
      session,
      caller,
      detail: { identity: id, provider },
    }),
    ...insertMails(app, [
      tellPerson(app, { id: user, locale }, "identityUnlinked", { detail: provider }),
    ]),
  ])
  wakeMail(app)
}
