import { collections } from "./app/collections.ts"
import { hooks } from "./app/hooks.ts"
import { imagePresets } from "./app/images.ts"
import { jobs, schedules, templates } from "./app/jobs.ts"
import { routes } from "./app/routes.ts"
import { createBackend } from "./backend.ts"

const backend = createBackend({
  collections,
  routes,
  jobs,
  schedules,
  hooks,
  templates,
  imagePresets,
})

export default backend.handler
export const {
  ChangePump,
  JobDispatcher,
  MetricsStore,
  UploadReceiver,
  WebhookDispatcher,
  WebhookSender,
} = backend
