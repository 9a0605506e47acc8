import { Hono } from "hono"
import { createBackend } from "../../src/backend.ts"
import type { OwnHttp } from "../../src/core/records/reach.ts"
import { crashCollections } from "./crash-collections.ts"

const backend = createBackend({ collections: crashCollections, routes: new Hono<OwnHttp>() })

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore } = backend
