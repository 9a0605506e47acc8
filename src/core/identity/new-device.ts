import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { coarseNetwork } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { tellPerson } from "./mails.ts"
import type { Person } from "./person.ts"

/** So many events back a device or a network is remembered: a bound for what a sign-in reads. */
const rememberedEvents = 50

/**
 * Tells a person of a sign-in from a device or a network that was not seen lately; not of their very first one. For the
 * batch of the sign-in, before its own event is written. The last statement answers a row when they are told.
 */
export function tellOfNewDevice(app: App, person: Person, caller: Caller): Sql[] {
  const seen = sql`SELECT network, userAgent FROM (SELECT kind, network, userAgent FROM audit_events WHERE user = ${person.id} ORDER BY id DESC LIMIT ${rememberedEvents}) WHERE kind = 'session.created'`
  const userAgent = caller.userAgent?.slice(0, 200) ?? null
  const mail = tellPerson(app, person, "newDevice", { detail: userAgent })
  const unseen = sql`EXISTS (${seen}) AND (NOT EXISTS (${seen} AND userAgent IS ${userAgent}) OR NOT EXISTS (${seen} AND network = ${coarseNetwork(caller.address)}))`
  return [...insertMails(app, [mail], unseen), sql`SELECT 1 FROM mails WHERE cause = ${mail.cause}`]
}
