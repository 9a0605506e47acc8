import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import type { OwnHttp } from "../../src/core/records/reach.ts"
import { fixtures } from "./collections.ts"
import { fixtureJobs, fixtureSchedules } from "./jobs.ts"

const backend = createBackend({
  collections: fixtures,
  routes: new Hono<OwnHttp>(),
  jobs: fixtureJobs,
  schedules: fixtureSchedules,
})

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore } = backend
