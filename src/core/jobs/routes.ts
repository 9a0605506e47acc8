import { type Context, Hono, type MiddlewareHandler } from "hono"
import type { App } from "../../platform/app.ts"
import { onDatabase } from "../../platform/chosen-database.ts"
import type { SignedIn } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { cancelJob, deleteJob, editJob, retryJob, runSchedule } from "./interventions.ts"
import { getJob, listJobs, listSchedules } from "./listing.ts"
import type { Registry } from "./registry.ts"
import { databaseQuery, jobPatch, jobsQuery } from "./schema.ts"

const patchTypes = ["application/json", "application/merge-patch+json"]

/** `/jobs…`, for those whom `administrators` lets pass. */
export function jobRoutes(
  registry: Registry<never>,
  administrators: MiddlewareHandler<SignedIn>,
): Hono<SignedIn> {
  const inDatabase = queryOf(databaseQuery)
  return new Hono<SignedIn>()
    .use(administrators)
    .get("/", queryOf(jobsQuery), async (c) => {
      const query = c.req.valid("query")
      const page = await listJobs(on(c, query.database), query, pageOfQuery(query))
      return c.json(page, 200, nextLink(c.req.url, page))
    })
    .get("/schedules", inDatabase, async (c) =>
      c.json({ items: await listSchedules(on(c, c.req.valid("query").database), registry) }),
    )
    .post("/schedules/:name/runs", inDatabase, async (c) => {
      const app = on(c, c.req.valid("query").database)
      const job = await runSchedule(app, registry, c.req.param("name"))
      tell(c, "schedule run", { job: job.id })
      return c.json(job, 201, { location: `/jobs/${job.id}` })
    })
    .get("/:id", inDatabase, async (c) =>
      c.json(await getJob(on(c, c.req.valid("query").database), idOf(c))),
    )
    .patch("/:id", inDatabase, jsonBody(jobPatch, patchTypes), async (c) => {
      const app = on(c, c.req.valid("query").database)
      const job = await editJob(app, registry, idOf(c), c.req.valid("json"))
      tell(c, "job edited", { job: job.id })
      return c.json(job)
    })
    .delete("/:id", inDatabase, async (c) => {
      await deleteJob(on(c, c.req.valid("query").database), idOf(c))
      tell(c, "job deleted", { job: idOf(c) })
      return c.body(null, 204)
    })
    .post("/:id/cancellation", inDatabase, async (c) => {
      const job = await cancelJob(on(c, c.req.valid("query").database), idOf(c))
      tell(c, "job cancelled", { job: job.id })
      return c.json(job)
    })
    .post("/:id/retries", inDatabase, async (c) => {
      const job = await retryJob(on(c, c.req.valid("query").database), idOf(c))
      tell(c, "job retried", { job: job.id })
      return c.json(job)
    })
}

/** An id that cannot be one is an id of nothing. */
function idOf(c: Context<SignedIn>): string {
  const id = c.req.param("id") ?? ""
  if (!isId(id)) throw new Problem("not_found")
  return id
}

/** The app on the database that was asked for. */
const on = (c: Context<SignedIn>, database?: string): App => onDatabase(c.get("app"), database)

function tell(c: Context<SignedIn>, message: string, fields: Record<string, string>): void {
  c.get("app").log("info", message, { ...fields, actor: c.get("actor").id })
}
