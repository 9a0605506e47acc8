import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { Hono } from "hono"
import { createBackend } from "../../../src/backend.ts"
import type { Collection } from "../../../src/core/records/collection.ts"
import { schemaObjects } from "../../../src/core/records/ddl.ts"
import { type LinkedCollections, linkCollections } from "../../../src/core/records/link.ts"
import type { OwnHttp } from "../../../src/core/records/reach.ts"
import { type App, createApp } from "../../../src/platform/app.ts"
import { settingsOf } from "../../../src/platform/http.ts"
import { type call, requestOf } from "../../support/people.ts"

/*
 * A backend of a test file's own: collections that say what the fixtures do not, other bindings, a stopped clock. People
 * sign in at the fixtures' worker, whose database this is.
 */

export interface Workshop {
  readonly collections: LinkedCollections
  call: typeof call
}

/** With `tables`, the collections are new and their tables are made. */
export async function openWorkshop(
  definitions: readonly Collection[],
  { tables = true, bindings = {} }: { tables?: boolean; bindings?: Record<string, unknown> } = {},
): Promise<Workshop> {
  const collections = linkCollections(definitions)
  if (tables) {
    const statements = schemaObjects(collections.values()).map(({ sql }) => env.DB.prepare(sql))
    await env.DB.batch(statements)
  }
  const { handler } = createBackend({ collections: definitions, routes: new Hono<OwnHttp>() })
  // Each call waits for all that outlives its answer; a batch of metrics would have it wait for seconds.
  const bound = { ...env, COLLECT_METRICS: "off", ...bindings } as unknown as Env
  return {
    collections,
    async call(...said) {
      const context = createExecutionContext()
      const answer = await handler.fetch(requestOf(...said) as never, bound, context)
      await waitOnExecutionContext(context)
      return answer
    },
  }
}

/** An app as a command-line tool would make it. */
export const toolApp = (database = "main", now?: () => number): App =>
  createApp({
    env,
    settings: settingsOf(env),
    requestId: "tool",
    database,
    bookmark: null,
    waitUntil: () => {},
    ...(now && { now }),
  })
