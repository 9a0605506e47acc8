import fc from "fast-check"
import type { Located, OpenApi, Schema } from "../../../src/core/docs/document.ts"
import { hostileBody, hostileJson } from "./hostile.ts"
import { hostileHeaders, hostilePath, hostileQuery } from "./hostile-addresses.ts"
import { type Draft, partsOf, soundBody, soundRequestsFor } from "./sound.ts"

/** More than a body may have; put in place when it is sent, because thousands of drafts are made at once. */
export const oversized = "<oversized>"

/** Requests for one operation: some as the document asks for, most of them wrong in one place or several. */
export function requestsFor(document: OpenApi, located: Located): fc.Arbitrary<Draft> {
  const { collection, query, schema } = partsOf(document, located)
  const { method } = located
  const sound = soundRequestsFor(document, located)
  const withHeaders = fc
    .tuple(sound, hostileHeaders)
    .map(([draft, headers]) => ({ ...draft, headers: { ...draft.headers, ...headers } }))
  const withQuery = fc
    .tuple(sound, hostileQuery(query))
    .map(([draft, asked]) => ({ ...draft, path: draft.path.split("?")[0] + asked }))
  const withPath = fc.tuple(sound, hostilePath).map(([draft, change]) => ({
    ...draft,
    path: change(draft.path, collection),
  }))
  const withField = schema
    ? fc.tuple(sound, hostileFields(schema)).map(([draft, body]) => ({ ...draft, body }))
    : sound
  const withBody = fc
    .tuple(sound, hostileBody)
    .map(([draft, body]) => ({ ...draft, body: method === "get" ? null : body }))
  const withSize = fc.tuple(sound).map(([draft]) => ({ ...draft, body: schema ? oversized : null }))
  const withType = fc
    .tuple(
      sound,
      fc.constantFrom(
        "",
        "text/plain",
        "application/xml",
        "application/json; charset=utf-16",
        "a",
        ";;",
        "multipart/form-data; boundary=x",
        "APPLICATION/JSON",
        "application/json, text/html",
      ),
    )
    .map(([draft, wrong]) => ({ ...draft, headers: { ...draft.headers, "content-type": wrong } }))
  const withMethod = fc
    .tuple(sound, fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"))
    .map(([draft, wrong]) => ({
      ...draft,
      method: wrong,
      body: ["GET", "HEAD"].includes(wrong) ? null : draft.body,
    }))
  return fc.oneof(
    { weight: 6, arbitrary: sound },
    { weight: 3, arbitrary: withHeaders },
    { weight: query.length > 0 ? 10 : 2, arbitrary: withQuery },
    { weight: 2, arbitrary: withPath },
    { weight: schema ? 8 : 0, arbitrary: withField },
    { weight: schema ? 2 : 1, arbitrary: withBody },
    { weight: schema ? 1 : 0, arbitrary: withSize },
    { weight: schema ? 1 : 0, arbitrary: withType },
    { weight: 1, arbitrary: withMethod },
  )
}

/** One field, or two, or one that does not exist, are hostile; the others are sound. */
function hostileFields(schema: Schema): fc.Arbitrary<string> {
  const names = [
    ...Object.keys(schema.properties ?? {}),
    "id",
    "version",
    "pk",
    "organisation",
    "unknown",
    "secret",
    "roles",
    "__proto__",
    "expanded",
  ]
  const hostile = fc.array(fc.tuple(fc.constantFrom(...names), hostileJson), {
    minLength: 1,
    maxLength: 2,
  })
  return fc.tuple(soundBody(schema), hostile).map(([body, wrong]) => {
    const pairs = wrong.map(([name, value]) => `${JSON.stringify(name)}:${value}`)
    return `${body.slice(0, -1)}${body === "{}" ? "" : ","}${pairs.join(",")}}`
  })
}
