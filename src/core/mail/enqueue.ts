import type { ZodType, z } from "zod"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { normaliseAddress } from "./address.ts"
import { deliverMail } from "./delivery.ts"
import { type MailOptions, type NewMail, newMail, type Recipient } from "./new-mail.ts"
import type { MailTemplate } from "./template.ts"

/**
 * The statements that send, for the batch of the write that causes the mails. After the commit, `app.wake("jobs")`. A
 * mail whose cause has one already is nothing. Rows travel as one JSON parameter, so there may be many. With a condition,
 * only when it holds at that place of the batch.
 *
 * @throws {Problem} `misconfigured` for mail of a list, where the deployment does not say its PUBLIC_URL.
 */
export function insertMails(
  app: App,
  mails: readonly NewMail[],
  condition: Sql = raw("true"),
): Sql[] {
  if (app.settings.publicUrl === null && mails.some(({ list }) => list !== null)) {
    const cause = new Error("PUBLIC_URL: is needed for mails that one can unsubscribe from")
    throw new Problem("misconfigured", { cause })
  }
  const rows = mails.map(({ address, ...mail }) => ({
    ...mail,
    id: app.newId(),
    address: address?.email,
    addressNormalised: address && normaliseAddress(address.email),
    name: address?.name,
  }))
  const at = new Date(app.now()).toISOString()
  const jobs = rows.map(({ id, list, organisation }) =>
    newJob(
      deliverMail,
      { mail: id },
      // What somebody waits for goes before what a thousand are sent.
      { key: id, organisation, priority: list === null ? "normal" : "low" },
    ),
  )
  return [
    sql`INSERT INTO mails (id, cause, template, locale, list, organisation, recipient, address, addressNormalised, name, subject, text, html, state, requestId, createdAt)
SELECT value ->> 'id', value ->> 'cause', value ->> 'template', value ->> 'locale', value ->> 'list', value ->> 'organisation', value ->> 'recipient', value ->> 'address', value ->> 'addressNormalised', value ->> 'name', value ->> 'subject', value ->> 'text', value ->> 'html', 'waiting', ${app.requestId}, ${at}
FROM json_each(${JSON.stringify(rows)}) WHERE ${condition} ON CONFLICT (cause) DO NOTHING`,
    insertJobs(app, jobs, sql`EXISTS (SELECT 1 FROM mails WHERE id = value ->> 'key')`),
  ]
}

/** For code that has no batch of its own. */
export interface Mail {
  /** One trip. A second mail for the same cause is nothing. Throws what `newMail` and `insertMails` throw. */
  send<Schema extends ZodType>(
    template: MailTemplate<Schema>,
    recipient: Recipient,
    data: z.input<Schema>,
    options: MailOptions,
  ): Promise<void>
}

/** On behalf of somebody who acts within this organisation. */
export const mailFor = (app: App, organisation: string | null): Mail => ({
  async send(template, recipient, data, options) {
    await app.db.batch(
      insertMails(app, [newMail(template, recipient, data, { organisation, ...options })]),
    )
    app.wake("jobs")
  },
})
