import { Hono } from "hono"
import { createBackend } from "../../backend.ts"
import { benchCollections } from "./collections.ts"

/** The whole backend, with the bench's collections in the product's place. */
const backend = createBackend({ collections: benchCollections, routes: new Hono() })

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore } = backend
