import type { App, UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, refuse, sessionProbe, sessionRefusal } from "./directory-guard.ts"
import { untilSettled } from "./membership-changes.ts"
import { secondFactorRequired } from "./organisation-access.ts"
import { admits, sessionEnd } from "./organisation-policy.ts"
import {
  type Membership,
  type Person,
  personOf,
  selectMemberships,
  selectPerson,
} from "./person.ts"
import { commitPerson } from "./projection.ts"
import { accessTokenFor, databaseOf, type Tokens } from "./sessions.ts"
import { proofExpired } from "./step-up.ts"

/**
 * The session speaks for another organisation from now on, or for none, and so do the tokens that it is refreshed to.
 *
 * Only an access token is answered: the refresh token stays as it is. Else whoever got hold of an access token for 15 minutes
 * could exchange it here for 30 days. The access token that asked goes on speaking for its own organisation until it expires.
 *
 * @throws {Problem} `not_found` where the actor is no member; `second_factor_required`; `step_up_required` where the
 * organisation's sessions are shorter than this one has lived; `token_outdated`
 */
export function switchOrganisation(
  app: App,
  actor: UserActor,
  caller: Caller,
  organisation: string | null,
): Promise<Omit<Tokens, "refreshToken">> {
  return untilSettled(async () => {
    const [session, found, memberships = [], rows] = await app.directory.batch([
      sessionProbe(actor),
      selectPerson(sql`id = ${actor.id}`),
      selectMemberships(sql`${actor.id}`),
      sql`SELECT methods, authenticatedAt, impersonator, expiresAt FROM sessions WHERE id = ${actor.session}`,
    ])
    assertSignedIn(actor, session)
    const person = personOf(found?.[0] ?? {}, memberships)
    const row = rows?.[0] ?? {}
    const proof = {
      methods: JSON.parse(row.methods as string) as string[],
      authenticatedAt: Date.parse(row.authenticatedAt as string),
      impersonator: row.impersonator as string | null,
    }
    const membership = chosen(person, organisation)
    if (membership && !admits(membership.policy, proof.methods)) throw secondFactorRequired()
    const policy = membership?.policy ?? null
    const ends = sessionEnd(policy, proof.authenticatedAt, Date.parse(row.expiresAt as string))
    if (ends <= app.now()) throw proofExpired(policy?.sessionSeconds ?? 0)
    await commitPerson(app, actor, writes(app, actor, caller, organisation, ends), person, [
      databaseOf(membership),
    ])
    return accessTokenFor(app, person, membership, actor.session, proof)
  })
}

function chosen(person: Person, organisation: string | null): Membership | null {
  if (organisation === null) return null
  const membership = person.memberships.find((one) => one.organisation === organisation)
  if (!membership) throw new Problem("not_found")
  return membership
}

/** Memberships raise the epoch, so that the epoch of the token is all that the guard has to ask for. */
const writes = (
  app: App,
  actor: UserActor,
  caller: Caller,
  organisation: string | null,
  ends: number,
): Sql[] => [
  refuse("outdated", sessionRefusal(actor)),
  sql`UPDATE sessions SET organisation = ${organisation}, expiresAt = ${new Date(ends).toISOString()} WHERE id = ${actor.session}`,
  auditEvent(app, {
    kind: "session.switched",
    user: actor.id,
    actor,
    organisation,
    session: actor.session,
    caller,
  }),
]
