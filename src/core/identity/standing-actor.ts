import { type ActingKey, type App, system, type UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { personOf, selectMemberships, selectPerson } from "./person.ts"
import { commitPerson } from "./projection.ts"
import { effectiveRoles } from "./sessions.ts"

/** An account, where it acts, and the key by which it does; null for the person themselves. */
export interface Standing {
  readonly user: string
  readonly organisation: string | null
  readonly key: ActingKey | null
}

/**
 * Somebody as they are now, for what is done on their behalf while they are not there: with today's roles, not those of
 * when they asked. The caller still asks `epochProbe` beside what it reads, and comes here again when it says outdated.
 * Null for whoever is disabled, has left the organisation, or whose key has ended. Two trips.
 */
export async function findStandingActor(
  app: App,
  { user, organisation, key }: Standing,
): Promise<UserActor | null> {
  const [found, memberships, keys] = await app.directory.batch([
    selectPerson(sql`id = ${user}`),
    selectMemberships(sql`${user}`),
    standingKey(app, key),
  ])
  const person = found?.[0] && personOf(found[0] as Row, memberships ?? [])
  if (!person || person.disabledAt !== null || person.kind === "anonymous") return null
  if (key && !keys?.[0]) return null
  const membership = person.memberships.find((one) => one.organisation === organisation) ?? null
  if (organisation !== null && !membership) return null
  const database = membership?.database ?? "main"
  // The directory is ahead of the projection where a writer died between the two.
  await commitPerson(app, system, [], person, [database])
  return {
    kind: "user",
    id: person.id,
    email: person.email,
    roles: effectiveRoles(person, membership),
    organisation,
    database,
    epoch: person.epoch,
    session: key?.id ?? "",
    methods: [],
    authenticatedAt: 0,
    impersonator: null,
    ...(key && { key }),
  }
}

/** Asked of the directory: a row, while the key is good. */
export const standingKey = (app: App, key: ActingKey | null): Sql =>
  sql`SELECT id FROM api_keys WHERE id = ${key?.id ?? null} AND hash = ${key?.hash ?? null} AND revokedAt IS NULL AND (expiresAt IS NULL OR expiresAt > ${new Date(app.now()).toISOString()})`
