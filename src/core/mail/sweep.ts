import type { App } from "../../platform/app.ts"
import { firstIdAt } from "../../platform/ids.ts"
import { raw, sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"
import { deliverMail } from "./delivery.ts"

const dayMilliseconds = 86_400_000

/** Bodies, addresses, and what servers said of them. */
const readableDays = 30

/** Causes: longer than a dead job, which may cause a mail anew, can be run again (90 days, jobs/sweep.ts). */
const rememberedDays = 120

/** Longer than any attempt may take. */
const lostMilliseconds = 3_600_000

/** In one statement; D1 gives it 30 s. */
const sweptRows = 1_000

/**
 * Empties mails that are older than 30 days and deletes those older than 120, unless they wait for something; settles
 * those whose job ended without doing so. One trip for each thousand.
 */
export async function sweepMails(app: App): Promise<void> {
  const lost = new Date(app.now() - lostMilliseconds).toISOString()
  const settled = raw("state NOT IN ('waiting', 'sending')")
  const limit = sql`ORDER BY id LIMIT CAST(${sweptRows} AS INTEGER)`
  for (let full = true; full; ) {
    const results = await app.db.batch([
      // Only what no job will ask about again is given up.
      sql`UPDATE mails SET state = 'uncertain', error = ifnull(error, 'Its job ended without an answer.') WHERE state = 'sending' AND claimedAt < ${lost} AND ${jobless}`,
      // Here there need be no delay: a mail is written together with its job.
      sql`UPDATE mails SET state = 'failed', error = ifnull(error, 'Its job ended before the mail could be sent.') WHERE state = 'waiting' AND ${jobless}`,
      sql`UPDATE mails SET subject = '', text = '', html = '', address = NULL, addressNormalised = NULL, name = NULL, error = NULL
WHERE id IN (SELECT id FROM mails WHERE subject <> '' AND id < ${idDaysAgo(app, readableDays)} AND ${settled} ${limit}) RETURNING id`,
      sql`DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE id < ${idDaysAgo(app, rememberedDays)} AND ${settled} ${limit}) RETURNING id`,
    ])
    full = results.some((rows) => rows.length === sweptRows)
  }
}

/** Keys of a mail's jobs begin with its id, and `0` follows `/`. */
const jobless = sql`NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.name = ${deliverMail.name} AND jobs.key BETWEEN mails.id AND mails.id || '0' AND jobs.finishedAt IS NULL)`

const idDaysAgo = (app: App, days: number): string => firstIdAt(app.now() - days * dayMilliseconds)

export const mailSweep = schedule("mail.sweep", {
  cron: "43 * * * *",
  everywhere: true,
  priority: "low",
  run: ({ app }) => sweepMails(app),
})
