import { type App, system, type UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { sql } from "../../platform/sql.ts"
import { actorOf, endedKey, learn } from "./api-key-actors.ts"
import { personOf, selectMemberships, selectPerson } from "./person.ts"
import { commitPerson } from "./projection.ts"
import { effectiveRoles } from "./sessions.ts"

/**
 * What a refresh is to a token: asks the directory what has become of the key and its holder, for a key that was refused
 * as outdated. This isolate then knows the holder's present roles. Two trips.
 *
 * @throws {Problem} `token_invalid` for a key that has ended, and one whose holder is disabled or has left its organisation
 */
export async function renewKey(app: App, actor: UserActor): Promise<void> {
  const { key, organisation } = actor
  if (!key) return
  const [keys, found, memberships] = await app.directory.batch([
    sql`SELECT expiresAt FROM api_keys WHERE id = ${key.id} AND hash = ${key.hash} AND revokedAt IS NULL AND (expiresAt IS NULL OR expiresAt > ${new Date(app.now()).toISOString()})`,
    selectPerson(sql`id = ${actor.id}`),
    selectMemberships(sql`${actor.id}`),
  ])
  const row = keys?.[0]
  if (!row) {
    learn(app.settings, key.hash, null)
    throw endedKey()
  }
  const person = found?.[0] && personOf(found[0] as Row, memberships ?? [])
  const membership = person?.memberships.find((one) => one.organisation === organisation) ?? null
  // Either may be undone, so neither is remembered.
  if (!person || person.disabledAt !== null) throw endedKey()
  if (organisation !== null && !membership) throw endedKey()
  const database = membership?.database ?? "main"
  // The directory is ahead of the projection where a writer died between the two.
  await commitPerson(app, system, [], person, [database])
  const claims = {
    id: key.id,
    user: person.id,
    organisation,
    database,
    email: person.email,
    roles: effectiveRoles(person, membership),
    epoch: person.epoch,
    scopes: key.scopes,
    expiresAt: row.expiresAt === null ? null : Date.parse(row.expiresAt as string),
    service: key.service,
  }
  learn(app.settings, key.hash, actorOf(claims, key.hash))
}
