import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import { sweepFiles } from "../../src/core/files/sweep.ts"
import {
  queuedLeaseMilliseconds,
  runningLeaseMilliseconds,
} from "../../src/core/jobs/statements.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import type { OwnHttp } from "../../src/core/records/reach.ts"
import { sql } from "../../src/platform/sql.ts"
import { crashCollections, crashHooks, crashJobs } from "./crash-collections.ts"

/**
 * `POST /outages/<moment>`: the outage since then, in milliseconds since the epoch, is to have lasted until every lease of
 * before had expired, because a test with many outages cannot wait for each.
 */
const routes = new Hono<OwnHttp>().post("/outages/:since", async (c) => {
  const app = c.get("app")
  const since = Number(c.req.param("since"))
  const now = new Date(app.now()).toISOString()
  const last = (lease: number) => new Date(since + lease).toISOString()
  await app.db.all(
    sql`UPDATE jobs SET leaseUntil = ${now} WHERE state = 'queued' AND leaseUntil <= ${last(queuedLeaseMilliseconds)} OR state = 'running' AND leaseUntil <= ${last(runningLeaseMilliseconds)}`,
  )
  app.wake("jobs")
  return c.body(null, 204)
})

/** `POST /expiries`: the time of every upload that is under way is over, and all of it is swept. Answers what files are left. */
routes.post("/expiries", async (c) => {
  const app = c.get("app")
  await app.db.all(
    sql`UPDATE files SET expiresAt = ${new Date(app.now() - 1).toISOString()} WHERE expiresAt IS NOT NULL`,
  )
  await sweepFiles(app, linkCollections(crashCollections))
  const [row] = await app.db.all(sql`SELECT count(*) AS files FROM files`)
  return c.json({ files: row?.files })
})

const backend = createBackend({
  collections: crashCollections,
  routes,
  jobs: crashJobs,
  hooks: crashHooks,
})

export default backend.handler
export const {
  ChangePump,
  JobDispatcher,
  MetricsStore,
  UploadReceiver,
  WebhookDispatcher,
  WebhookSender,
} = backend
