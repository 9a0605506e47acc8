import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import type { OwnHttp } from "../../src/core/records/reach.ts"
import { fixtures } from "./collections.ts"
import { fixtureHooks } from "./hooks.ts"
import { fixtureJobs, fixtureSchedules } from "./jobs.ts"
import { fixtureRoles } from "./organisation-roles.ts"

const backend = createBackend({
  collections: fixtures,
  routes: new Hono<OwnHttp>(),
  jobs: fixtureJobs,
  schedules: fixtureSchedules,
  hooks: fixtureHooks,
  organisationRoles: fixtureRoles,
})

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore } = backend
