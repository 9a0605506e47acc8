import { collections } from "./app/collections.ts"
import { hooks } from "./app/hooks.ts"
import { jobs, schedules, templates } from "./app/jobs.ts"
import { routes } from "./app/routes.ts"
import { createBackend } from "./backend.ts"

const backend = createBackend({ collections, routes, jobs, schedules, hooks, templates })

export default backend.handler
export const { ChangePump, JobDispatcher, MetricsStore, WebhookSender } = backend
