import type { Actor, App } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { addressOf } from "../identity/mail-address.ts"
import { type Integrations, integrationsFor } from "../integrations/call.ts"
import { type Jobs, jobsFor } from "../jobs/enqueue.ts"
import { type Mail, mailFor } from "../mail/enqueue.ts"
import { type Records, recordsFor } from "./api.ts"
import type { LinkedCollections } from "./link.ts"
import { organisationOf } from "./view.ts"

/** What the product's own code works with, beside `app`: in routes, after commits, in jobs. */
export interface Reach {
  /** On behalf of one actor: in routes the caller, elsewhere the system. */
  readonly records: Records
  readonly jobs: Jobs
  readonly mail: Mail
  /** Other services (`integration`). */
  readonly integrations: Integrations
}

/** What the handlers of `src/app/routes.ts` find in their Hono context. */
export interface OwnHttp {
  Bindings: Http["Bindings"]
  Variables: Http["Variables"] & Reach
}

export const reachFor = (app: App, actor: Actor, collections: LinkedCollections): Reach => ({
  records: recordsFor(app, actor, collections),
  jobs: jobsFor(app, organisationOf(actor)),
  mail: mailFor(app, organisationOf(actor), addressOf),
  integrations: integrationsFor(app),
})
