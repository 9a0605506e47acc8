import type { ZodType, z } from "zod"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { normaliseAddress } from "./address.ts"
import { type AddressOf, deliverMail } from "./delivery.ts"
import { type MailOptions, type NewMail, newMail, type Recipient } from "./new-mail.ts"
import type { StoredMail } from "./stored-mail.ts"
import { liftUnsubscription } from "./suppressions.ts"
import type { MailTemplate } from "./template.ts"

/**
 * The statements that send, for the batch of the write that causes the mails. After the commit, `app.wake("jobs")`. A
 * mail whose cause has one already is nothing. Rows travel as JSON parameters, each within D1's limit, so there may be
 * thousands. With a condition, only when it holds at that place of the batch. No mails are the same statements, so that
 * nobody can tell them apart by time.
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
  return inParts(rows).flatMap((part) => [
    sql`INSERT INTO mails (id, cause, template, locale, list, organisation, recipient, address, addressNormalised, name, subject, text, html, state, requestId, createdAt)
SELECT value ->> 'id', value ->> 'cause', value ->> 'template', value ->> 'locale', value ->> 'list', value ->> 'organisation', value ->> 'recipient', value ->> 'address', value ->> 'addressNormalised', value ->> 'name', value ->> 'subject', value ->> 'text', value ->> 'html', 'waiting', ${app.requestId}, ${at}
FROM json_each(${JSON.stringify(part)}) WHERE ${condition} ON CONFLICT (cause) DO NOTHING`,
    insertJobs(app, part.map(jobOf), sql`EXISTS (SELECT 1 FROM mails WHERE id = value ->> 'key')`),
  ])
}

/** What somebody waits for goes before what a thousand are sent. */
const jobOf = ({ id, list, organisation }: Pick<StoredMail, "id" | "list" | "organisation">) =>
  newJob(
    deliverMail,
    { mail: id },
    { key: id, organisation, priority: list === null ? "normal" : "low" },
  )

/** In characters, which may be three bytes each: D1 takes values of 2 MB. */
const maxPartCharacters = 500_000

/** In their order, as many to a part as its size allows, and one at least; no rows are one empty part. */
function inParts<Row>(rows: readonly Row[]): Row[][] {
  const parts: Row[][] = []
  let room = 0
  for (const row of rows) {
    const size = JSON.stringify(row).length
    if (size > room) {
      parts.push([])
      room = maxPartCharacters
    }
    parts.at(-1)?.push(row)
    room -= size
  }
  return parts.length > 0 ? parts : [[]]
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
  /**
   * To many people, such as a page of readers, each in their own language: in one trip and one transaction, all or none.
   * The cause of each mail is `cause/user`. Else as `send`.
   */
  sendAll<Schema extends ZodType>(
    template: MailTemplate<Schema>,
    people: readonly Person[],
    data: z.input<Schema>,
    options: Omit<MailOptions, "locale">,
  ): Promise<void>
  /**
   * To be called when somebody asks for mail of a list: what they had unsubscribed from before `at` (ISO 8601 UTC, the
   * moment of their asking) reaches them again. Bounces, complaints and administrators' decisions stand. Two trips.
   */
  resubscribe(list: string, recipient: Recipient, at: string): Promise<void>
}

interface Person {
  readonly user: string
  readonly locale?: string | null
}

/** On behalf of somebody who acts within this organisation. */
export function mailFor(app: App, organisation: string | null, addressOf: AddressOf): Mail {
  const cause = async (mails: readonly NewMail[]): Promise<void> => {
    if (mails.length === 0) return
    await app.db.batch(insertMails(app, mails))
    app.wake("jobs")
  }
  return {
    send: async (template, recipient, data, options) =>
      cause([newMail(template, recipient, data, { organisation, ...options })]),
    sendAll: async (template, people, data, options) =>
      cause(
        people.map(({ user, locale = null }) =>
          newMail(template, { user }, data, {
            organisation,
            ...options,
            locale,
            cause: `${options.cause}/${user}`,
          }),
        ),
      ),
    async resubscribe(list, recipient, at) {
      const address = "user" in recipient ? await addressOf(app, recipient.user) : recipient
      if (address) await liftUnsubscription(app, address.email, list, at)
    },
  }
}
