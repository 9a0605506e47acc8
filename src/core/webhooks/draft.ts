import type { z } from "zod"
import type { App, UserActor } from "../../platform/app.ts"
import { addressRefusals, refusalOf } from "../../platform/outbound-address.ts"
import { type InputError, invalidInput, Problem } from "../../platform/problem.ts"
import { ExpressionError } from "../expression/error.ts"
import type { LinkedCollection, LinkedCollections } from "../records/link.ts"
import { knows } from "../records/selection.ts"
import { type View, viewFor } from "../records/view.ts"
import { parseEventType } from "./event-types.ts"
import { parseEventFilter } from "./filter.ts"
import type { webhookEndpointPatch } from "./schema.ts"

type Draft = Pick<z.output<typeof webhookEndpointPatch>, "url" | "filter" | "headers"> & {
  readonly events?: readonly string[] | undefined
  readonly fields?: readonly string[] | null | undefined
}

/**
 * Nothing, where an endpoint may be like that for this actor. What they may never read is answered as what is not there.
 *
 * @throws {Problem} `invalid_input`, `invalid_expression`, naming the place
 */
export function assertSound(
  app: App,
  actor: UserActor,
  collections: LinkedCollections,
  { url, events, filter, fields, headers }: Draft,
): void {
  const view = viewFor(app, actor, collections)
  const heard = collectionsOf(view, collections, events ?? [])
  const errors: InputError[] = [
    ...(url === undefined ? [] : urlErrors(app, url)),
    ...heard.errors,
    ...(fields ?? []).flatMap((name, i) =>
      heard.collections.every((collection) => knows(view, collection, name))
        ? []
        : [
            {
              path: `fields.${i}`,
              code: "unknown_field",
              message: `There is no field "${name}" in each of the collections.`,
            },
          ],
    ),
    ...headerErrors(headers ?? {}),
  ]
  if (errors.length > 0) throw invalidInput(...errors)
  if (filter) for (const collection of heard.collections) assertFilter(view, collection, filter)
}

function urlErrors(app: App, url: string): InputError[] {
  const refusal = refusalOf(url, { loopback: app.settings.loopbackCalls })
  if (refusal === null) return []
  const message = `The address ${addressRefusals[refusal]}.`
  return [{ path: "url", code: `address_${refusal}`, message }]
}

function collectionsOf(
  view: View,
  collections: LinkedCollections,
  events: readonly string[],
): { collections: LinkedCollection[]; errors: InputError[] } {
  const found = new Set<LinkedCollection>()
  const errors: InputError[] = []
  for (const [i, name] of events.entries()) {
    const type = parseEventType(collections, name)
    if (type && view.readRule(type.collection) !== false) found.add(type.collection)
    else {
      const message = `There is no event "${name}".`
      errors.push({ path: `events.${i}`, code: "unknown_event", message })
    }
  }
  return { collections: [...found], errors }
}

function assertFilter(view: View, collection: LinkedCollection, text: string): void {
  try {
    parseEventFilter(view, collection, text)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    throw new Problem("invalid_expression", {
      detail: `filter, of ${collection.name}: ${error.message}`,
      errors: [{ path: "filter", code: error.code, message: error.message }],
    })
  }
}

/** Of HTTP itself, of our own, and of what would be answered elsewhere. */
const refusedHeaders =
  /^(?:webhook-.*|proxy-.*|sec-.*|x-forwarded-.*|cf-.*|connection|keep-alive|te|trailer|transfer-encoding|upgrade|host|content-.*|expect|cookie|user-agent|accept-encoding|via|forwarded)$/i

function headerErrors(headers: Readonly<Record<string, string>>): InputError[] {
  const seen = new Set<string>()
  return Object.entries(headers).flatMap(([name, value]) => {
    const path = `headers.${name}`
    const again = seen.has(name.toLowerCase())
    seen.add(name.toLowerCase())
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || refusedHeaders.test(name) || again) {
      return [{ path, code: "refused_header", message: `The header ${name} cannot be set.` }]
    }
    // RFC 9110, 5.5: without line breaks, or it would be several headers.
    if (/^[\t\x20-\x7e]*$/.test(value)) return []
    return [{ path, code: "invalid_header", message: `The header ${name} takes printable ASCII.` }]
  })
}
