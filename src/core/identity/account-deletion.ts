import type { App, UserActor } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { forgetInvitationsOf, revokeInvitationsBy } from "./invitations.ts"
import { tellPerson, wakeMail } from "./mails.ts"
import { refuseLastOwner } from "./membership-changes.ts"
import { ownerRole } from "./organisation-roles.ts"
import { endImpersonationsBy, outlawImpersonationsBy } from "./session-revocations.ts"
import { assertRecent } from "./step-up.ts"
import { forgetUserInvitation } from "./user-invitations.ts"
import { changePerson, keepAdministrator } from "./users.ts"

/**
 * Forgets who the actor was: address, name, language, roles, memberships, credentials, sessions, in the directory and in
 * every database. Their id stays, so that records that point at it stay whole. The address is free again.
 *
 * @throws {Problem} `step_up_required`; `forbidden` for impersonators; `conflict` for the last administrator, and for the
 * last owner of an organisation; `token_outdated`
 */
export async function deleteAccount(app: App, actor: UserActor, caller: Caller): Promise<void> {
  assertRecent(app, actor)
  const { id } = actor
  const at = new Date(app.now()).toISOString()
  const known = await databasesThatKnow(app, id)
  await changePerson(app, actor, id, (before) => ({
    // No address looks like this, and no two people have the same.
    email: `deleted:${id}`,
    emailVerifiedAt: null,
    name: null,
    locale: null,
    roles: [],
    disabledAt: at,
    passwordHash: null,
    memberships: [],
    databases: new Set(["main", ...known, ...before.memberships.map(({ database }) => database)]),
    guards: [
      ...keepAdministrator(before),
      // Nobody else could be handed what has no owner: first they hand it over, or delete it.
      ...before.memberships
        .filter(({ roles }) => roles.includes(ownerRole))
        .map(({ organisation }) => refuseLastOwner(organisation, id)),
    ],
    writes: [
      revokeInvitationsBy(app, id),
      forgetInvitationsOf(id, before.email),
      forgetUserInvitation(before),
      ...endImpersonationsBy(app, id),
      ...credentialTables.map((table) => sql`DELETE FROM ${table} WHERE user = ${id}`),
      sql`UPDATE mails SET address = NULL, addressNormalised = NULL, name = NULL WHERE recipient = ${id} AND state NOT IN ('waiting', 'sending')`,
      auditEvent(app, { kind: "user.deleted", user: id, actor, caller }),
      // Where mail goes is looked up when it leaves; by then nothing is known.
      ...insertMails(
        app,
        before.kind === "person"
          ? [tellPerson(app, before, "accountDeleted", { email: before.email })]
          : [],
      ),
    ],
  }))
  await outlawImpersonationsBy(app, id)
  await forgetInLogs(app, [id], known)
  wakeMail(app)
}

/** Everything that somebody could sign in with, or that says where they did. */
const credentialTables = [
  sql`account_tokens`,
  sql`passkeys`,
  sql`identities`,
  sql`authenticators`,
  sql`recovery_codes`,
  sql`api_keys`,
  sql`organisation_members`,
  sql`sessions`,
]

/** Databases of records with a projection of this person: those of organisations that they left, too. */
async function databasesThatKnow(app: App, id: string): Promise<string[]> {
  const asked = await Promise.all(
    app.databases
      .filter((name) => name !== "directory")
      .map(async (name) => {
        const rows = await app.on(name).db.all(sql`SELECT 1 FROM members WHERE id = ${id}`)
        return rows.length > 0 ? name : null
      }),
  )
  return asked.filter((name) => name !== null)
}

/** The log keeps that there was a change, and forgets the name: the salt goes with it, so that nothing can be guessed. */
export async function forgetInLogs(
  app: App,
  ids: readonly string[],
  databases: readonly string[],
): Promise<void> {
  for (const name of databases) {
    await app
      .on(name)
      .db.all(
        sql`UPDATE changes SET payload = json_set(payload, '$.name', NULL), salt = '' WHERE subject = 'members' AND record IN (SELECT value FROM json_each(${JSON.stringify(ids)})) AND payload ->> 'name' IS NOT NULL`,
      )
  }
}
