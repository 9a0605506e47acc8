import type { Written } from "./draft.ts"
import { etagOf } from "./etag.ts"
import type { LinkedCollection } from "./link.ts"
import { type ApiRecord, hasShapedBody } from "./selection.ts"

/** What a create, a change or a replacement is answered with; `body` is JSON. */
export interface Answer {
  readonly status: 200 | 201
  readonly headers: Record<string, string>
  readonly body: string
}

export function answerTo(
  collection: LinkedCollection,
  { id, created, record, version }: Written,
): Answer {
  // What its writer may not read is answered by its id alone.
  const body = JSON.stringify(record ?? ({ id } satisfies ApiRecord))
  const headers: Record<string, string> = { "content-type": "application/json" }
  if (created) headers.location = `/records/${collection.name}/${id}`
  if (version !== null) headers.etag = etagOf(version, hasShapedBody(collection) ? body : null)
  return { status: created ? 201 : 200, headers, body }
}
