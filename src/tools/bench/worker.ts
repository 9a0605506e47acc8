import { Hono } from "hono"
import * as z from "zod"
import { createBackend } from "../../backend.ts"
import { job } from "../../core/jobs/job.ts"
import type { OwnHttp } from "../../core/records/reach.ts"
import { benchCollections } from "./collections.ts"

/** Does nothing: what is measured is the way there and back. */
const chore = job("chore", { payload: z.object({}), run: () => {} })

const routes = new Hono<OwnHttp>().post("/chores", async (c) => {
  await c.get("jobs").enqueue(chore, {})
  return c.body(null, 204)
})

/** The whole backend, with the bench's collections in the product's place. */
const backend = createBackend({ collections: benchCollections, routes, jobs: [chore] })

export default backend.handler
export const {
  ChangePump,
  JobDispatcher,
  MetricsStore,
  UploadReceiver,
  WebhookDispatcher,
  WebhookSender,
} = backend
