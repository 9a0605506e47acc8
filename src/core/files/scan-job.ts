import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { type JobRun, job, permanent } from "../jobs/job.ts"
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
  run,
})

/** For the batch that stores a file: the job that looks at it. After the commit, `app.wake("jobs")`. */
export const insertScan = (app: App, file: string): Sql =>
  insertJobs(
    app,
    [newJob(scanFile, { file }, { key: file })],
    sql`EXISTS (SELECT 1 FROM files WHERE id = ${file} AND scan = 'pending')`,
  )

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
  const verdict = scanner === null ? "unknown" : await scanner.scan(content, signal)
  const scan = verdict === "unknown" ? null : verdict
  const judged = sql`UPDATE files SET scan = ${scan} WHERE id = ${file} AND scan = 'pending'`
  if (verdict !== "infected") {
    if (verdict === "unknown") app.log("warn", "a file was not scanned for malware", { file })
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
