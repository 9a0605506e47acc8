import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { type Address, normaliseAddress } from "./address.ts"
import type { StoredMail } from "./stored-mail.ts"

/*
 * Who may give a mail to a driver, and what became of it. Each statement names the state and the attempt that it knows,
 * so that of two runs one wins, and a late answer undoes nothing newer.
 */

/** So many mails an hour to one address, whoever causes them: beyond that they wait. */
const hourlyRate = 30
const hourMilliseconds = 3_600_000

type Claim =
  | { readonly kind: "claimed"; readonly attempts: number }
  /** Too many to this address. The seconds until there is room. */
  | { readonly kind: "over_rate"; readonly resumeSeconds: number }
  /** Another run has it. */
  | { readonly kind: "gone" }

/** One trip. What is claimed a second time keeps the moment of the first: since then somebody may have it. */
export async function claimMail(
  app: App,
  mail: StoredMail,
  to: Address,
  driver: string,
): Promise<Claim> {
  const address = normaliseAddress(to.email)
  const now = app.now()
  const at = new Date(now).toISOString()
  const recent = sql`FROM mails WHERE addressNormalised = ${address} AND claimedAt > ${new Date(now - hourMilliseconds).toISOString()}`
  const [claimed, crowd] = await app.db.batch([
    sql`UPDATE mails SET state = 'sending', attempts = attempts + 1, driver = ${driver}, address = ${to.email}, addressNormalised = ${address}, name = ${to.name}, claimedAt = ifnull(claimedAt, ${at})
WHERE ${asKnown(mail)} AND (state = 'sending' OR (SELECT count(*) ${recent}) < CAST(${hourlyRate} AS INTEGER)) RETURNING attempts`,
    // The one that has to be an hour old before there is room.
    sql`SELECT claimedAt ${recent} AND id <> ${mail.id} ORDER BY claimedAt DESC LIMIT 1 OFFSET CAST(${hourlyRate - 1} AS INTEGER)`,
  ])
  const attempts = claimed?.[0]?.attempts
  if (typeof attempts === "number") return { kind: "claimed", attempts }
  const oldest = crowd?.[0]?.claimedAt
  if (typeof oldest !== "string") return { kind: "gone" }
  const resumeSeconds = Math.ceil((Date.parse(oldest) + hourMilliseconds - now) / 1_000)
  return { kind: "over_rate", resumeSeconds: Math.max(resumeSeconds, 1) }
}

type End =
  | {
      readonly state: "sent"
      readonly messageId: string
      readonly bodies: { readonly text: string; readonly html: string }
    }
  | { readonly state: "suppressed" | "failed" | "uncertain"; readonly error: string }

/** Nothing more happens to it by itself. `uncertain` still counts for the rate, the other failures do not. */
export async function settleMail(app: App, mail: StoredMail, end: End): Promise<void> {
  const { template, organisation } = mail
  const change =
    end.state === "sent"
      ? sql`messageId = ${end.messageId}, text = ${end.bodies.text}, html = ${end.bodies.html}, error = NULL, sentAt = ${new Date(app.now()).toISOString()}`
      : end.state === "uncertain"
        ? sql`error = ${end.error}`
        : sql`error = ${end.error}, claimedAt = NULL`
  const settled = await app.db.all(
    // A run that was thought dead may still bring the answer that was missing.
    sql`UPDATE mails SET state = ${end.state}, ${change} WHERE id = ${mail.id} AND attempts = CAST(${mail.attempts} AS INTEGER) AND state IN ('waiting', 'sending', 'uncertain') RETURNING id`,
  )
  if (settled.length > 0) app.count("mails", { template, outcome: end.state, organisation })
}

/** It certainly has not left, and waits for the next attempt. */
export async function deferMail(app: App, mail: StoredMail, error: string): Promise<void> {
  await app.db.all(
    sql`UPDATE mails SET state = 'waiting', claimedAt = NULL, error = ${error} WHERE ${ofAttempt(mail)}`,
  )
}

/** It may have left, to somebody who will know it again. */
export async function noteError(app: App, mail: StoredMail, error: string): Promise<void> {
  await app.db.all(sql`UPDATE mails SET error = ${error} WHERE ${ofAttempt(mail)}`)
}

const asKnown = ({ id, state, attempts }: StoredMail): Sql =>
  sql`id = ${id} AND state = ${state} AND attempts = CAST(${attempts} AS INTEGER)`

const ofAttempt = ({ id, attempts }: StoredMail): Sql =>
  sql`id = ${id} AND attempts = CAST(${attempts} AS INTEGER) AND state = 'sending'`
