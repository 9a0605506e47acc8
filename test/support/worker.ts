import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import type { OwnHttp } from "../../src/core/records/api.ts"
import { fixtures } from "./collections.ts"

const backend = createBackend({ collections: fixtures, routes: new Hono<OwnHttp>() })

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore } = backend
