import type { Hono } from "hono"
import { changePump } from "./core/changes/pump-object.ts"
import { jobDispatcher } from "./core/jobs/dispatcher-object.ts"
import type { MailTemplate } from "./core/mail/template.ts"
import type { OwnHttp } from "./core/records/api.ts"
import type { Collection } from "./core/records/collection.ts"
import { linkCollections } from "./core/records/link.ts"
import { deliverTo, hasListeners } from "./core/records/listeners.ts"
import { databaseNames } from "./platform/app.ts"
import { MetricsStore } from "./platform/metrics-store.ts"
import { poke } from "./platform/wake.ts"
import { createRoutes } from "./routes.ts"

/** What a product built on this backend brings: its collections, and routes of its own. */
export interface Product {
  readonly collections: readonly Collection[]
  readonly routes: Hono<OwnHttp>
  /** Kinds of mail that it sends: for the preview in development. */
  readonly templates?: readonly MailTemplate[]
}

/**
 * Puts a deployment together: the handlers of its worker, and the classes of its Durable Objects.
 *
 * @throws {DefinitionError} at start-up, when a collection makes no sense.
 */
export function createBackend(product: Product) {
  const collections = linkCollections(product.collections)
  const http = createRoutes(collections, product.routes, product.templates)
  const listening = hasListeners(collections)
  const wakeAll = async (env: Env): Promise<void> => {
    if (!listening) return
    await Promise.all(databaseNames(env).map((name) => poke(env, "changes", name)))
  }
  let awake = false
  const handler = {
    fetch(request, env, context) {
      // What a killed process left undelivered is picked up with the first request of the next one.
      if (!awake) {
        awake = true
        context.waitUntil(wakeAll(env))
      }
      return http.fetch(request, env, context)
    },
    async scheduled(_event, env) {
      await wakeAll(env)
    },
  } satisfies ExportedHandler<Env>
  return {
    handler,
    ChangePump: changePump(deliverTo(collections)),
    JobDispatcher: jobDispatcher(),
    MetricsStore,
  }
}
