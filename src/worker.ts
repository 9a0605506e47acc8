import { collections } from "./app/collections.ts"
import { routes } from "./app/routes.ts"
import { createBackend } from "./backend.ts"

const backend = createBackend({ collections, routes })

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore } = backend
