import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { auditEvent } from "./audit.ts"
import { eventOf, forItsPerson, selectEvents } from "./audit-log.ts"
import type { Caller } from "./caller.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"
import { selectIdentities } from "./linked-identities.ts"
import { admits } from "./organisation-policy.ts"
import { type Person, personOf, selectMemberships, selectPerson, toUser } from "./person.ts"
import { effectiveRoles } from "./sessions.ts"
import { assertRecent } from "./step-up.ts"

/** A record that is a person's own, with where it was found. */
export interface OwnRecord {
  readonly database: string
  readonly collection: string
  readonly record: Readonly<Record<string, unknown>> & { readonly id: string }
}

/**
 * Records of one database that the actor made or that point at them, as far as they may read them. Given by whoever knows
 * records, which identity does not.
 */
export type OwnRecords = (app: App, actor: UserActor) => AsyncIterable<OwnRecord>

/** A part of the records that the actor made is deleted, by the same; see src/core/records/own-record-deletion.ts. */
export type DeleteOwnRecords = (
  app: App,
  actor: UserActor,
  cursor: string | null,
) => Promise<{ readonly deleted: number; readonly kept: number; readonly next: string | null }>

/**
 * All that the deployment knows of the actor, a JSON object a line: `user`, `identity`, `membership`, `event`, `record`. The first
 * trip, and its refusals, come before the first line.
 *
 * @throws {Problem} `step_up_required`; `forbidden` for impersonators; `token_outdated`
 */
export async function exportAccount(
  app: App,
  actor: UserActor,
  caller: Caller,
  ownRecords: OwnRecords,
): Promise<ReadableStream<Uint8Array>> {
  assertRecent(app, actor)
  const [session, found = [], memberships = [], identities = []] = await app.directory.batch([
    sessionProbe(actor),
    selectPerson(sql`id = ${actor.id}`),
    selectMemberships(sql`${actor.id}`),
    selectIdentities(actor.id),
  ])
  assertSignedIn(actor, session)
  const person = personOf(found[0] ?? {}, memberships)
  const event = auditEvent(app, {
    kind: "user.exported",
    user: actor.id,
    actor,
    session: actor.session,
    caller,
  })
  return linesOf(everything(app, actor, person, { ownRecords, event, identities }))
}

async function* everything(
  app: App,
  actor: UserActor,
  person: Person,
  {
    ownRecords,
    event: exporting,
    identities,
  }: { ownRecords: OwnRecords; event: Sql; identities: readonly Row[] },
): AsyncGenerator<object> {
  // With the first line: a HEAD gets none, and exports nothing.
  await app.directory.all(exporting)
  yield { type: "user", ...toUser(person), locale: person.locale }
  for (const identity of identities) yield { type: "identity", ...identity }
  for (const { organisation, database, roles } of person.memberships) {
    yield { type: "membership", organisation, database, roles }
  }
  for await (const event of eventsOf(app, actor.id)) yield { type: "event", ...event }
  // What does not belong to an organisation is seen from each of them.
  const seen = new Set<string>()
  for (const view of viewsOf(actor, person)) {
    for await (const own of ownRecords(app.on(view.database), view)) {
      const key = `${own.database}/${own.collection}/${own.record.id}`
      if (seen.has(key)) continue
      seen.add(key)
      yield { type: "record", ...own }
    }
  }
}

/** The actor as they are in none of their organisations, and in each that admits this session. */
const viewsOf = (actor: UserActor, person: Person): UserActor[] =>
  [null, ...person.memberships.filter(({ policy }) => admits(policy, actor.methods))].map(
    (membership) => ({
      ...actor,
      organisation: membership?.organisation ?? null,
      database: membership?.database ?? "main",
      roles: effectiveRoles(person, membership),
      epoch: person.epoch,
    }),
  )

const pageSize = 200

async function* eventsOf(app: App, user: string) {
  for (let before: string | null = ""; before !== null; ) {
    const from = before === "" ? sql`1` : sql`id < ${before}`
    const rows = await app.directory.all(selectEvents(sql`user = ${user} AND ${from}`, pageSize))
    for (const row of rows) yield forItsPerson(eventOf(row))
    before = rows.length === pageSize ? (rows.at(-1)?.id as string) : null
  }
}

/** Made as it is read: what a person has may be more than fits into memory. */
function linesOf(items: AsyncGenerator<object>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const source: UnderlyingDefaultSource<Uint8Array> = {
    async pull(controller) {
      const { done, value } = await items.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`))
    },
    async cancel() {
      await items.return(undefined)
    },
  }
  return new ReadableStream(source, { highWaterMark: 0 })
}
