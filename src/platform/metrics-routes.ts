import { Hono, type MiddlewareHandler } from "hono"
import type { z } from "zod"
import type { Http, SignedIn } from "./http.ts"
import { queryOf } from "./input.ts"
import { flush } from "./metrics-flush.ts"
import { prometheusText, prometheusType } from "./metrics-prometheus.ts"
import { type Range, reportOf } from "./metrics-report.ts"
import { maxSteps, metricsQuery } from "./metrics-schema.ts"
import { allStores, readAll, totalsOf } from "./metrics-shards.ts"
import { spanMilliseconds, startOf } from "./metrics-step.ts"
import { invalidInput, Problem } from "./problem.ts"

/** Mounted at `/metrics`; whom `administrators` lets through may read. */
export const metricsRoutes = (administrators: MiddlewareHandler<SignedIn>) =>
  new Hono<Http>().get("/", administrators, queryOf(metricsQuery), async (c) => {
    const app = c.get("app")
    const stores = app.settings.metrics ? allStores(c.env) : null
    if (!stores) throw new Problem("not_found", "Metrics are switched off here.")
    const query = c.req.valid("query")
    const text = wantsPrometheus(query.format, c.req.header("accept"))
    const range = text ? null : rangeOf(query, app.now())
    // What this isolate has counted is there to be read at once; that of others is some seconds behind.
    await flush(c.env)
    if (!range) {
      return c.body(prometheusText(await totalsOf(stores)), 200, { "content-type": prometheusType })
    }
    return c.json(reportOf(range, await readAll(stores, range.from, range.to, range.step)))
  })

/** A scraper asks for text and takes anything; a program that can take JSON gets JSON. */
const wantsPrometheus = (format: "json" | "prometheus" | undefined, accept = ""): boolean =>
  format
    ? format === "prometheus"
    : /text\/plain|application\/openmetrics-text/i.test(accept) && !/\bjson\b/i.test(accept)

/** Instants outside of these have no place in four-digit years, or none in our counters. */
const first = Date.UTC(1970)
const last = Date.UTC(9999)

/** @throws {Problem} `invalid_input` when it ends before it begins, has too many steps, or lies beyond all calendars. */
function rangeOf({ step, ...query }: z.output<typeof metricsQuery>, now: number): Range {
  const length = spanMilliseconds[step]
  const asked = query.to === undefined ? now : Date.parse(query.to)
  const to = startOf(asked + length - 1, step)
  const from =
    query.from === undefined
      ? to - (step === "minute" ? 60 : 24) * length
      : startOf(Date.parse(query.from), step)
  if (from >= to || from < first || to > last) {
    const message = "from has to be before to, and both within the years 1970 to 9998."
    throw invalidInput({ path: "query.from", code: "range", message })
  }
  if ((to - from) / length > maxSteps) {
    const message = `At most ${maxSteps} steps at a time: a shorter range, please, or longer steps.`
    throw invalidInput({ path: "query.step", code: "range", message })
  }
  return { from, to, step }
}
