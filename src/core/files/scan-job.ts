import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { type JobRun, job, maxTimeoutSeconds, permanent } from "../jobs/job.ts"
import { insertMails } from "../mail/enqueue.ts"
import { newMail } from "../mail/new-mail.ts"
import { keyOf } from "./files.ts"
import { fileInfected } from "./mails.ts"
import { scannerOf } from "./scanner.ts"

/*
 * Looking for malware in what is stored. What is found is never given out again (`assertHarmless`); its content stays for
 * its owner to delete, because scanners err.
 */

/** Looks for malware in one file. Two trips, and one more for the language of whose it is. */
export const scanFile = job("files.scan", {
  payload: z.object({ file: z.string() }),
  // As many as a small scanner takes at a time.
  concurrency: { limit: 5 },
  timeoutSeconds: maxTimeoutSeconds,
  run,
})

/** For the batch that stores a file: the job that looks at it. After the commit, `app.wake("jobs")`. */
export const insertScan = (app: App, file: string): Sql =>
  insertJobs(
    app,
    [newJob(scanFile, { file }, { key: file })],
    sql`EXISTS (SELECT 1 FROM files WHERE id = ${file} AND scan = 'pending')`,
  )

/** In one statement. */
const askedFiles = 1_000

/**
 * Of files that still wait, though no job is left that looks: the scanner was away for longer than a job tries. A thousand
 * at most, the rest the next time. Two trips.
 */
export async function scanAgain(app: App): Promise<void> {
  const isLeft = sql`SELECT 1 FROM jobs WHERE name = ${scanFile.name} AND key = files.id AND finishedAt IS NULL`
  const rows = await app.db.all(
    sql`SELECT id FROM files WHERE scan = 'pending' AND state = 'stored' AND NOT EXISTS (${isLeft}) LIMIT ${askedFiles}`,
  )
  if (rows.length === 0) return
  const ids = rows.map(({ id }) => id as string)
  await app.db.batch([
    // One that has ended stands in the way of another.
    sql`DELETE FROM jobs WHERE name = ${scanFile.name} AND key IN (SELECT value FROM json_each(${JSON.stringify(ids)})) AND finishedAt IS NOT NULL`,
    insertJobs(
      app,
      ids.map((file) => newJob(scanFile, { file }, { key: file })),
    ),
  ])
  app.wake("jobs")
}

async function run({ app, payload: { file }, signal }: JobRun<{ file: string }>): Promise<void> {
  const scanner = scannerOf(app)
  const [row] = await app.db.all(
    sql`SELECT owner, organisation, name, size FROM files WHERE id = ${file} AND state = 'stored' AND scan = 'pending'`,
  )
  if (!row) return
  const key = keyOf(file)
  const content = async () => {
    const found = row.size === 0 ? new Blob([]).stream() : await app.blobs.read(key)
    if (!found) throw permanent("Its content is gone.")
    return found as ReadableStream<Uint8Array>
  }
  // Where the deployment has none any more, nobody looks.
  const verdict = scanner === null ? null : await scanner.scan(content, row.size as number, signal)
  const judged = sql`UPDATE files SET scan = ${verdict} WHERE id = ${file} AND scan = 'pending'`
  if (verdict !== "infected") {
    if (verdict !== "clean") app.log("warn", "a file was not scanned for malware", { file })
    await app.db.all(judged)
    return
  }
  app.log("warn", "malware was found in a file", { file })
  const owner = row.owner as string
  const [person] = await app.directory.all(
    sql`SELECT locale FROM users WHERE id = ${owner} AND kind = 'person' AND disabledAt IS NULL`,
  )
  const mail = newMail(
    fileInfected,
    { user: owner },
    { name: row.name as string },
    {
      cause: `file-infected/${file}`,
      locale: (person?.locale as string | null | undefined) ?? null,
      organisation: row.organisation as string | null,
    },
  )
  await app.db.batch([judged, ...(person ? insertMails(app, [mail]) : [])])
  app.wake("jobs")
}
