import type { App } from "../../platform/app.ts"
import { now } from "./announce.ts"
import type { DueRow } from "./due.ts"
import type { EventPayload } from "./payload.ts"
import type { StoredEndpoint } from "./stored-endpoint.ts"

/** What a test says: no record of anybody's. */
export const testType = "webhooks.test"

export const testPayload = (app: App, { id }: StoredEndpoint, { type }: DueRow): EventPayload => ({
  type,
  timestamp: now(app),
  data: { endpoint: id },
})
