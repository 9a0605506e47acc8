import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import { schedule } from "../jobs/schedule.ts"
import { deliverMail } from "./delivery.ts"

const keptMilliseconds = 30 * 86_400_000

/** Longer than any attempt may take. */
const lostMilliseconds = 3_600_000

/** In one statement; D1 gives it 30 s. */
const sweptRows = 1_000

/**
 * Deletes mails that are older than 30 days and wait for nothing, and calls those uncertain whose job ended without
 * settling them. One trip for each thousand.
 */
export async function sweepMails(app: App): Promise<void> {
  const before = new Date(app.now() - keptMilliseconds).toISOString()
  const lost = new Date(app.now() - lostMilliseconds).toISOString()
  for (let full = true; full; ) {
    const [, swept = []] = await app.db.batch([
      // Keys of its jobs begin with its id, and `0` follows `/`. Only what no job will ask about again is given up.
      sql`UPDATE mails SET state = 'uncertain', error = ifnull(error, 'Its job ended without an answer.')
WHERE state = 'sending' AND claimedAt < ${lost} AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.name = ${deliverMail.name} AND jobs.key BETWEEN mails.id AND mails.id || '0' AND jobs.finishedAt IS NULL)`,
      sql`DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE id < ${idAt(before)} AND state NOT IN ('waiting', 'sending') ORDER BY id LIMIT CAST(${sweptRows} AS INTEGER)) RETURNING id`,
    ])
    full = swept.length === sweptRows
  }
}

/** Ids are UUIDv7: those that were made before that moment are smaller. */
function idAt(instant: string): string {
  const time = Date.parse(instant).toString(16).padStart(12, "0")
  return `${time.slice(0, 8)}-${time.slice(8)}`
}

export const mailSweep = schedule("mail.sweep", {
  cron: "43 * * * *",
  everywhere: true,
  priority: "low",
  run: ({ app }) => sweepMails(app),
})
