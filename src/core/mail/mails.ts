import type { App } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { allOf, type Sql, sql } from "../../platform/sql.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { normaliseAddress } from "./address.ts"
import { deliverMail } from "./delivery.ts"
import { findMail, type StoredMail, selectMail, summaryColumns } from "./stored-mail.ts"

export type MailSummary = Omit<StoredMail, "text" | "html">

interface MailQuery {
  readonly limit: number
  readonly cursor: string | null
  readonly state?: string | undefined
  readonly template?: string | undefined
  readonly address?: string | undefined
}

/** Mails without their bodies, the newest first. One trip. */
export async function listMails(app: App, query: MailQuery): Promise<Page<MailSummary>> {
  const { limit, cursor, state, template, address } = query
  const conditions: Sql[] = [
    ...(cursor === null ? [] : [sql`id < ${cursor}`]),
    ...(state === undefined ? [] : [sql`state = ${state}`]),
    ...(template === undefined ? [] : [sql`template = ${template}`]),
    ...(address === undefined ? [] : [sql`addressNormalised = ${normaliseAddress(address)}`]),
  ]
  const rows = await app.db.all(
    sql`SELECT ${summaryColumns} FROM mails WHERE ${allOf(conditions)} ORDER BY id DESC LIMIT CAST(${limit + 1} AS INTEGER)`,
  )
  return pageOf(rows as unknown as MailSummary[], limit)
}

/** The latest with their bodies: for the preview. */
export async function latestMails(app: App, limit: number): Promise<StoredMail[]> {
  const rows = await app.db.all(
    sql`SELECT ${summaryColumns}, text, html FROM mails ORDER BY id DESC LIMIT CAST(${limit} AS INTEGER)`,
  )
  return rows as unknown as StoredMail[]
}

/** The mail with its bodies. @throws {Problem} `not_found` */
export async function getMail(app: App, id: string): Promise<StoredMail> {
  const mail = await findMail(app, id)
  if (!mail) throw new Problem("not_found")
  return shown(app, mail)
}

/** Mails that hold links and codes by which one signs in: of accounts, and invitations. */
const confidential = /^(?:account\.|organisation-invitation$)/

/** In production nobody but its reader sees how one signs in: an administrator could become another by it. */
const shown = (app: App, mail: StoredMail): StoredMail =>
  app.settings.development || !confidential.test(mail.template)
    ? mail
    : { ...mail, text: "", html: "" }

/**
 * Has a mail delivered that was not, or of which nobody knows: what has certainly left, or is on its way, stays as it is.
 * One trip.
 *
 * @throws {Problem} `not_found`; `conflict` for a mail that is `sent` or `sending`, or no longer readable.
 */
export async function sendAgain(app: App, id: string): Promise<StoredMail> {
  const refuse = (outcome: string, when: Sql): Sql =>
    sql`INSERT INTO refusals (refusal) SELECT ${`refused|0|${outcome}||`} WHERE ${when}`
  const key = `${id}/${app.newId()}`
  try {
    const results = await app.db.batch([
      refuse("not_found", sql`NOT EXISTS (SELECT 1 FROM mails WHERE id = ${id})`),
      refuse(
        "taken",
        sql`EXISTS (SELECT 1 FROM mails WHERE id = ${id} AND (state IN ('sending', 'sent') OR subject = ''))`,
      ),
      sql`UPDATE mails SET state = 'waiting', error = NULL, claimedAt = NULL WHERE id = ${id}`,
      insertJobs(app, [newJob(deliverMail, { mail: id }, { key })]),
      selectMail(id),
    ])
    app.wake("jobs")
    return shown(app, results.at(-1)?.[0] as unknown as StoredMail)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.outcome === "not_found") throw new Problem("not_found")
    throw new Problem("conflict", "This mail has been sent, is being sent, or is too old.")
  }
}
