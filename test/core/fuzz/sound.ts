import fc from "fast-check"
import type {
  Answer,
  Located,
  OpenApi,
  Parameter,
  Reference,
  Schema,
} from "../../../src/core/docs/document.ts"
import { resolve } from "../../../src/core/docs/sample.ts"
import { hostileText } from "./hostile.ts"
import { plausibleExpression, relationPaths } from "./plausible.ts"

/**
 * A request before it is sent: `<articles:7>` in path, query and body stands for the id of an existing record,
 * so that a run can be repeated although ids differ.
 */
export interface Draft {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** Requests for one operation as the document asks for them. They may still be refused: by a rule, or by a condition. */
export function soundRequestsFor(document: OpenApi, located: Located): fc.Arbitrary<Draft> {
  const { path, method } = located
  const { collection, parameters, query, schema, type, record } = partsOf(document, located)
  return fc.record({
    method: fc.constant(method.toUpperCase()),
    path: fc
      .tuple(soundPath(path, collection), soundQuery(query, collection, document, record))
      .map(([address, asked]) => address + asked),
    headers: soundHeaders(parameters).map(
      (headers): Record<string, string> => ({
        ...headers,
        ...(type && { "content-type": type }),
      }),
    ),
    body: schema ? soundBody(schema) : fc.constant(null),
  })
}

/** Each parameter is an id of what the segment before it names, or one of the first versions. */
function soundPath(path: string, collection: string): fc.Arbitrary<string> {
  const [start = "", ...rest] = path.split(/\{\w+\}/)
  const ids = rest.map((_, i) => {
    const before = /\/(\w+)\/$/.exec(rest[i - 1] ?? "")?.[1]
    if (before === "history") return fc.constantFrom("1", "2")
    return idOf(i === 0 ? collection : (before ?? collection))
  })
  return fc
    .tuple(...ids)
    .map((named) => start + rest.map((text, i) => (named[i] as string) + text).join(""))
}

export function partsOf(document: OpenApi, { path, operation }: Located) {
  const parameters = operation.parameters.map((one) => resolve<Parameter>(document, one))
  const content = Object.entries(operation.requestBody?.content ?? {})
  return {
    // What the first parameter of the path names, or the collection itself.
    collection:
      (/\/([\w-]+)\/\{/.exec(path) ?? /^\/(?:records|auth)\/([\w-]+)/.exec(path))?.[1] ?? "users",
    parameters,
    query: parameters.filter((parameter) => parameter.in === "query"),
    schema: content[0] ? resolve<Schema>(document, content[0][1].schema) : null,
    type: content[0]?.[0] ?? null,
    record: recordOf(document, operation.responses["200"]),
  }
}

/** The schema of the records that are answered, one or a page of them. */
function recordOf(document: OpenApi, answer: Answer | Reference | undefined): Schema | null {
  const content = answer && resolve<Answer>(document, answer).content?.["application/json"]
  if (!content) return null
  const schema = resolve<Schema>(document, content.schema)
  const item = schema.properties?.items?.items
  const record = item ? resolve<Schema>(document, item) : schema
  return record.properties?.version ? record : null
}

const idOf = (collection: string): fc.Arbitrary<string> =>
  fc.nat(99).map((n) => `<${collection}:${n}>`)

function soundQuery(
  parameters: readonly Parameter[],
  collection: string,
  document: OpenApi,
  record: Schema | null,
): fc.Arbitrary<string> {
  if (parameters.length === 0) return fc.constant("")
  const pairs = parameters.map((parameter) =>
    parameter.name === "dryRun"
      ? // What one has deleted, the next could not read.
        fc.constant("true")
      : fc.option(soundParameter(parameter, collection, document, record), { freq: 3, nil: null }),
  )
  return fc.tuple(...pairs).map((values) => {
    const given = values.flatMap((value, i) =>
      value === null ? [] : [`${parameters[i]?.name}=${encodeURIComponent(value)}`],
    )
    return given.length ? `?${given.join("&")}` : ""
  })
}

/** What has to be said, conditions that hold now and then, and keys that are used more than once. */
function soundHeaders(parameters: readonly Parameter[]): fc.Arbitrary<Record<string, string>> {
  const known: Readonly<Record<string, fc.Arbitrary<string>>> = {
    "If-Match": fc.constantFrom("*", '"1"', '"2"', '"1-abc", W/"2"'),
    "If-None-Match": fc.constantFrom("*", '"1"', '"2"'),
    "Idempotency-Key": fc.constantFrom("k1", "k2", "k3"),
    "Tus-Resumable": fc.constant("1.0.0"),
    "Upload-Length": fc.constantFrom("0", "7", "1000"),
    "Upload-Offset": fc.constantFrom("0", "0", "7"),
    "Upload-Metadata": fc.constantFrom("filename eC50eHQ=,filetype dGV4dC9jc3Y=", "secret"),
    "Upload-Checksum": fc.constantFrom("sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha256 AAAA"),
  }
  const headers = parameters.flatMap(({ name, in: place, required }) =>
    place === "header" && known[name] ? [[name, known[name], required] as const] : [],
  )
  return fc
    .tuple(
      ...headers.map(([, value, required]) =>
        required
          ? value
          : fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value }),
      ),
    )
    .map((values) =>
      Object.fromEntries(
        values.flatMap((value, i) => (value === null ? [] : [[headers[i]?.[0] as string, value]])),
      ),
    )
}

function soundParameter(
  parameter: Parameter,
  collection: string,
  document: OpenApi,
  record: Schema | null,
): fc.Arbitrary<string | null> {
  const { name, schema, description, example } = parameter
  const paths = record ? relationPaths(document, record) : []
  const named = [...description.matchAll(/`([\w.]+)`/g)]
    .map(([, word]) => word as string)
    .filter((word) => word !== "expanded")
  switch (name) {
    case "filter":
      return fc.oneof(
        fc.constantFrom(
          String(example),
          "version >= 1",
          `id = "<${collection}:1>"`,
          "createdBy = @me.id",
        ),
        ...(record ? [plausibleExpression(document, record)] : []),
      )
    case "sort":
      return fc
        .uniqueArray(fc.constantFrom(...((schema.items?.enum ?? ["id"]) as string[])), {
          minLength: 1,
          maxLength: 3,
          selector: (key) => key.replace("-", ""),
        })
        .map((keys) => keys.join(","))
    case "fields":
    case "expand":
      return fc
        .uniqueArray(fc.constantFrom(...(name === "expand" && paths.length ? paths : named)), {
          minLength: 1,
          maxLength: 6,
        })
        .map((names) => names.join(","))
    case "upsert":
    case "columns":
      return fc.constant(String(example))
    case "cursor":
      return fc.constant(null)
    case "search":
      // Whatever a person types can be searched for.
      return fc.oneof(
        fc.constantFrom("hello", "hello wor", "a b c ", "ärger"),
        hostileText.map((text) => text.toWellFormed().replaceAll("\0", "").slice(0, 500)),
      )
    default:
      if (schema.enum) return fc.constantFrom(...(schema.enum as string[]))
      if (schema.examples?.[0]) return fc.constant(String(schema.examples[0]))
      return fc.integer({ min: schema.minimum ?? 1, max: schema.maximum ?? 9 }).map(String)
  }
}

/** Of people and versions that exist, now and then. */
const identities = {
  email: fc
    .oneof(
      fc.constant("victim"),
      fc.nat(1e9).map((n) => `p${n}`),
    )
    .map((name) => JSON.stringify(`${name}@example.test`)),
  password: fc.constant('"correct horse battery staple"'),
  organisation: fc.nat(9).map((n) => `"<organisations:${n}>"`),
  currentPassword: fc.constant('"correct horse battery staple"'),
  version: fc.constantFrom("1", "2"),
}

/** The JSON of an object with all that is required and some of the rest; of one of several forms, where there are. */
export function soundBody(schema: Schema): fc.Arbitrary<string> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(soundBody))
  if (schema.type === "string") return fc.constant(String(schema.examples?.[0]))
  const properties = Object.entries(schema.properties ?? {}).filter(
    ([name, one]) => !one.readOnly && !isOtherWay(schema, name),
  )
  const values = properties.map(([name, property]) => {
    const value =
      name in identities ? identities[name as keyof typeof identities] : soundValue(property)
    return schema.required?.includes(name) ? value : fc.option(value, { freq: 3, nil: null })
  })
  return fc.tuple(...values).map((texts) => {
    const pairs = texts.flatMap((text, i) =>
      text === null ? [] : [`${JSON.stringify(properties[i]?.[0])}:${text}`],
    )
    return `{${pairs.join(",")}}`
  })
}

/** Proofs of identity exclude each other: where a password is one of several, it is the one that can be known. */
const isOtherWay = ({ properties = {}, required = [] }: Schema, name: string): boolean =>
  "password" in properties &&
  !required.includes("password") &&
  ["challenge", "code", "recoveryCode", "passkey"].includes(name)

/** A JSON value as text. */
function soundValue(schema: Schema): fc.Arbitrary<string> {
  if (schema.anyOf?.[0]) return soundValue(schema.anyOf[0])
  if (schema.enum) return fc.constantFrom(...schema.enum).map((value) => JSON.stringify(value))
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? [])
  const target = /records? of `(\w+)`/.exec(schema.description ?? "")?.[1] ?? "members"
  switch (types[0]) {
    case "string": {
      if (schema.format === "uuid") {
        const id = idOf(target)
        const likely = target === "members" ? fc.oneof(fc.constant("<me:0>"), id) : id
        return likely.map((one) => JSON.stringify(one))
      }
      return soundText(schema).map((text) => JSON.stringify(text))
    }
    case "integer":
      return fc
        .integer({ min: schema.minimum ?? -5, max: Math.min(schema.maximum ?? 50, 50) })
        .map(String)
    case "number":
      return fc
        .double({
          min: Math.max(schema.minimum ?? -1e6, -1e6),
          max: Math.min(schema.maximum ?? 1e6, 1e6),
          noNaN: true,
        })
        .map((n) => JSON.stringify(n))
    case "boolean":
      return fc.boolean().map(String)
    case "array":
      return schema.items?.format === "uuid"
        ? fc
            .uniqueArray(fc.nat(2), { maxLength: 3 })
            .map((ns) => JSON.stringify(ns.map((n) => `<${target}:${n}>`)))
        : fc.constant(
            JSON.stringify(schema.examples?.[0] ?? [schema.items?.examples?.[0] ?? "editor"]),
          )
    case "object":
      // Such as a point. Without properties it is any JSON.
      return schema.properties ? soundBody(schema) : fc.json({ maxDepth: 2 })
    default:
      return fc.json({ maxDepth: 2 })
  }
}

function soundText({ format, pattern, examples, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (format === "date") return fc.constantFrom("2026-11-21", "1999-12-31")
  if (format === "date-time")
    return fc.constantFrom("2026-11-21T09:30:00Z", "1999-12-31T23:59:59.5+02:00")
  if (format === "email") return fc.constant("ann@example.test")
  if (format === "uri") return fc.constant("https://example.test/a?b=c")
  if (pattern?.includes("@")) return fc.nat(1e9).map((n) => `p${n}@example.test`)
  if (pattern && !examples) return fc.nat(1e9).map((n) => `a-${n}`)
  if (examples?.[0]) return fc.constant(String(examples[0]))
  return fc
    .string({ unit: "grapheme", minLength: 1, maxLength: Math.min(20, maxLength) })
    .map((text) => `hello ${text}`)
}
