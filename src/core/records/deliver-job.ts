import * as z from "zod"
import { sql } from "../../platform/sql.ts"
import type { Bury, Deliver, StoredChange } from "../changes/pump.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { job } from "../jobs/job.ts"

/**
 * A line of the log that its listener could not take. The pump has gone on to the next; this is tried once more, and then
 * lies among the dead jobs, where an administrator can look at it and run it again.
 */
export const deliverLater = (deliver: Deliver) =>
  job("changes.deliver", {
    payload: z.object({ seq: z.int().positive() }),
    retryDelays: [],
    async run({ app, payload }) {
      const [change] = await app.db.all(
        sql`SELECT seq, id, at, actor, organisation, subject, record, version, kind, payload FROM changes WHERE seq = ${payload.seq}`,
      )
      if (change) await deliver(app, change as unknown as StoredChange)
    },
  })

/** Puts a line aside, before the pump's cursor passes it. */
export const buryIn =
  (later: ReturnType<typeof deliverLater>): Bury =>
  async (app, change) => {
    const { seq, id, organisation } = change
    await app.db.all(insertJobs(app, [newJob(later, { seq }, { key: id, organisation })]))
    app.wake("jobs")
  }
