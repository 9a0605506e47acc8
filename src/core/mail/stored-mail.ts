import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import type { Locale } from "./locale.ts"

export const mailStates = [
  "waiting",
  "sending",
  "sent",
  "suppressed",
  "failed",
  "uncertain",
] as const

/** A row of `mails`, as far as code looks at it. */
export interface StoredMail {
  readonly id: string
  readonly cause: string
  readonly template: string
  readonly locale: Locale
  readonly list: string | null
  readonly organisation: string | null
  readonly recipient: string | null
  readonly address: string | null
  readonly name: string | null
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly state: (typeof mailStates)[number]
  readonly attempts: number
  readonly driver: string | null
  readonly messageId: string | null
  readonly error: string | null
  readonly createdAt: string
  readonly claimedAt: string | null
  readonly sentAt: string | null
}

export const summaryColumns = sql`id, cause, template, locale, list, organisation, recipient, address, name, subject, state, attempts, driver, messageId, error, createdAt, claimedAt, sentAt`

export const selectMail = (id: string) =>
  sql`SELECT ${summaryColumns}, text, html FROM mails WHERE id = ${id}`

/** One trip. */
export async function findMail(app: App, id: string): Promise<StoredMail | null> {
  const rows = await app.db.all(selectMail(id))
  return (rows[0] as unknown as StoredMail | undefined) ?? null
}
