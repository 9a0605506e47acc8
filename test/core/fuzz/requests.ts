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
import { hostileBody, hostileExpression, hostileJson, hostileText } from "./hostile.ts"
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

/** More than a body may have; put in place when it is sent, because thousands of drafts are made at once. */
export const oversized = "<oversized>"

/** Requests for one operation as the document asks for them. They may still be refused: by a rule, or by a condition. */
export function soundRequestsFor(document: OpenApi, located: Located): fc.Arbitrary<Draft> {
  const { path, method } = located
  const { collection, parameters, query, schema, type, record } = partsOf(document, located)
  return fc.record({
    method: fc.constant(method.toUpperCase()),
    path: fc
      .tuple(idOf(collection), soundQuery(query, collection, document, record))
      .map(([id, asked]) => path.replace(/\{\w+\}/, id) + asked),
    headers: soundHeaders(parameters).map(
      (headers): Record<string, string> => ({
        ...headers,
        ...(type && { "content-type": type }),
      }),
    ),
    body: schema ? soundBody(schema) : fc.constant(null),
  })
}

function partsOf(document: OpenApi, { path, operation }: Located) {
  const parameters = operation.parameters.map((one) => resolve<Parameter>(document, one))
  const content = Object.entries(operation.requestBody?.content ?? {})
  return {
    collection: /^\/(?:records|auth)\/(\w+)/.exec(path)?.[1] ?? "users",
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

const idOf = (collection: string): fc.Arbitrary<string> =>
  fc.nat(99).map((n) => `<${collection}:${n}>`)

// ---- as the document asks for

function soundQuery(
  parameters: readonly Parameter[],
  collection: string,
  document: OpenApi,
  record: Schema | null,
): fc.Arbitrary<string> {
  if (parameters.length === 0) return fc.constant("")
  const pairs = parameters.map((parameter) =>
    fc.option(soundParameter(parameter, collection, document, record), { freq: 3, nil: null }),
  )
  return fc.tuple(...pairs).map((values) => {
    const given = values.flatMap((value, i) =>
      value === null ? [] : [`${parameters[i]?.name}=${encodeURIComponent(value)}`],
    )
    return given.length ? `?${given.join("&")}` : ""
  })
}

/** Conditions that hold now and then, and keys that are used more than once. */
function soundHeaders(parameters: readonly Parameter[]): fc.Arbitrary<Record<string, string>> {
  const known: Readonly<Record<string, fc.Arbitrary<string>>> = {
    "If-Match": fc.constantFrom("*", '"1"', '"2"', '"1-abc", W/"2"'),
    "If-None-Match": fc.constantFrom("*", '"1"', '"2"'),
    "Idempotency-Key": fc.constantFrom("k1", "k2", "k3"),
  }
  const headers = parameters.flatMap(({ name, in: place }) =>
    place === "header" && known[name] ? [[name, known[name]] as const] : [],
  )
  return fc
    .tuple(...headers.map(([, value]) => fc.option(value, { freq: 3, nil: null })))
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
      return fc.integer({ min: schema.minimum ?? 1, max: schema.maximum ?? 9 }).map(String)
  }
}

/** Of people who exist, now and then. */
const identities = {
  email: fc
    .oneof(
      fc.constant("victim"),
      fc.nat(1e9).map((n) => `p${n}`),
    )
    .map((name) => JSON.stringify(`${name}@example.test`)),
  password: fc.constant('"correct horse battery staple"'),
}

/** The JSON of an object with all that is required and some of the rest. */
function soundBody(schema: Schema): fc.Arbitrary<string> {
  const properties = Object.entries(schema.properties ?? {}).filter(([, one]) => !one.readOnly)
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
      return fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((n) => JSON.stringify(n))
    case "boolean":
      return fc.boolean().map(String)
    case "array":
      return schema.items?.format === "uuid"
        ? fc
            .uniqueArray(fc.nat(2), { maxLength: 3 })
            .map((ns) => JSON.stringify(ns.map((n) => `<${target}:${n}>`)))
        : fc.constant('["editor"]')
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
  if (pattern) return fc.nat(1e9).map((n) => `a-${n}`)
  if (examples?.[0]) return fc.constant(String(examples[0]))
  return fc
    .string({ unit: "grapheme", minLength: 1, maxLength: Math.min(20, maxLength) })
    .map((text) => `hello ${text}`)
}

// ---- as it should not be

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

function hostileQuery(parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const names = [
    ...parameters.map(({ name }) => name),
    "unknown",
    "",
    "filter[x]",
    "limit",
    "__proto__",
  ]
  const pair = fc
    .constantFrom(...names)
    .chain((name) => valueFor(name).map((value) => `${encodeURIComponent(name)}=${value}`))
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .uniqueArray(pair, { minLength: 1, maxLength: 3, selector: (one) => one.split("=")[0] })
        .map((pairs) => `?${pairs.join("&")}`),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "?limit=1&limit=2",
        "?filter=true&filter=true",
        "?&&&",
        "?=",
        "?%",
        "?a=%zz&b",
        "?filter",
        "?limit=%ff",
        "?filter=%c0%af",
        "?cursor=",
        "?x[]=1&x[]=2",
        `?filter=${"a".repeat(100_000)}`,
        `?${"a=1&".repeat(5_000)}`,
      ),
    },
  )
}

const encoded = (text: string): string => encodeURIComponent(text.toWellFormed())

function valueFor(name: string): fc.Arbitrary<string> {
  switch (name) {
    case "filter":
      return hostileExpression.map(encoded)
    case "fields":
    case "expand":
    case "sort":
      return fc.oneof(
        fc.array(path, { minLength: 1, maxLength: 5 }).map((names) => encoded(names.join(","))),
        hostileText.map(encoded),
      )
    case "limit":
      return fc.constantFrom(
        "0",
        "-1",
        "201",
        "1e2",
        "١",
        "50.0",
        "",
        "9".repeat(400),
        "NaN",
        "0x10",
        "1",
        "200",
        " 1",
      )
    case "cursor":
      return fc.oneof(
        fc.constantFrom(
          ...["", "null", "[]", '["x"]', '["x",1]', "{}", '["",null,"id"]'].map((json) =>
            btoa(json),
          ),
        ),
        fc.constantFrom(
          "-0",
          "%00",
          "a.b.c",
          "AAAA",
          "_",
          "=".repeat(10),
          "A".repeat(10_000),
          "019aa2c5-7d00-7000-8000-000000000001",
        ),
        hostileText.map(encoded),
        // One that was made, for this query or another.
        fc.nat(99).map((n) => `<cursor:${n}>`),
      )
    default:
      return hostileText.map(encoded)
  }
}

/** Relations in and out, deeper than allowed, and names that are none. */
const path = fc
  .array(
    fc.constantFrom(
      "author",
      "comments",
      "article",
      "project",
      "people",
      "owner",
      "articles",
      "tags",
      "parent",
      "children",
      "id",
      "title",
      "-id",
      "secret",
      "note",
      "roles",
      "epoch",
      "meta",
      "createdBy",
      "commentCount",
      "",
      "x y",
      "expanded",
      "__proto__",
      "watchers",
      "buyer",
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((names) => names.join("."))

type PathChange = (path: string, collection: string) => string

const hostilePath: fc.Arbitrary<PathChange> = fc.oneof(
  fc
    .constantFrom(
      "019AA2C5-7D00-7000-8000-000000000001",
      "019aa2c5-7d00-7000-8000-00000000000",
      "019aa2c5-7d00-7000-8000-000000000001x",
      "{019aa2c5-7d00-7000-8000-000000000001}",
      "00000000-0000-0000-0000-000000000000",
      "ffffffff-ffff-ffff-ffff-ffffffffffff",
      "%zz",
      "%",
      "%00",
      "%c0%af",
      "%ff%fe",
      "%2e%2e%2f",
      "..%2f..",
      "%25%7a",
      "👍",
      "' OR 1=1 --",
      "a".repeat(20_000),
      "current%00",
      "me",
    )
    .map(
      (id): PathChange =>
        (whole) =>
          whole.replace(/<\w+:\d+>|(?<=^\/records\/\w+)$/, (at) => (at ? id : `/${id}`)),
    ),
  hostileText.map(
    (text): PathChange =>
      (whole) =>
        whole.replace(/<\w+:\d+>/, encoded(text)),
  ),
  fc
    .constantFrom(
      "vaults",
      "diaries",
      "users",
      "sessions",
      "changes",
      "sqlite_master",
      "__proto__",
      "constructor",
      "%zz",
      "%00",
      "Articles",
      "articles%20",
      "",
    )
    .map(
      (name): PathChange =>
        (whole) =>
          whole.replace(/^\/records\/\w+/, `/records/${name}`),
    ),
  fc.constantFrom<PathChange>(
    (whole) => `${whole.split("?")[0]}/`,
    (whole) => `/${whole}`,
    (whole) => `${whole.split("?")[0]}/x/y`,
    (whole) => whole.toUpperCase(),
    (whole) => `${whole.split("?")[0]}#x?y`,
    (whole) => whole.replace("/", "/./"),
    (_, collection) => `/records/${collection}/<articles:1>`,
    (whole) => whole.replaceAll("/", "%2f"),
    (whole) => `${whole.split("?")[0]};x=1`,
  ),
)

/** Only what HTTP lets through: the text of a header is bytes, without line ends and NUL. */
const headerText = hostileText.map((text) => text.replace(/[^\x20-\xff]/g, "?").slice(0, 4_000))

const tags = [
  "*",
  '"1"',
  'W/"1"',
  '"999999999999999999"',
  '"',
  '""',
  "1",
  ",",
  '"a","b",'.repeat(2_000),
  '"1"'.padStart(5_000),
]
const bookmarks = [
  "main.x.y",
  "main..",
  "main.00000001-00000002-00000003-0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAA",
  "directory.first-primary.x",
  "main.first-primary.",
  "main.x.y ".repeat(1_000),
  " ".repeat(100),
  "a".repeat(500_000),
]
const headerValues: Readonly<Record<string, readonly string[]>> = {
  "if-match": tags,
  "if-none-match": tags,
  "idempotency-key": ["", " ", "k1", "k".repeat(255), "k".repeat(256), "ä", "a".repeat(500_000)],
  "x-bookmark": bookmarks,
  authorization: [
    "Bearer",
    "Bearer ",
    "Bearer a.b.c",
    "bearer null",
    `Bearer ${btoa('{"alg":"none"}')}.${btoa('{"sub":"x"}')}.`,
    `Bearer ${"a".repeat(500_000)}`,
    "Basic YWRtaW46YWRtaW4=",
  ],
  cookie: [
    "__Host-bookmark=%zz",
    "__Host-bookmark=%",
    "__Host-bookmark=main.x.y",
    "__Host-access=x",
    "__Host-access=a.b.c; __Host-bookmark=%E0%A4%A",
    "__Host-refresh=x",
    "=; ;;=;__Host-access",
    "a=b; ".repeat(10_000),
  ],
  origin: [
    "null",
    "http://evil.test",
    "http://127.0.0.1",
    "http://",
    "::",
    "http://localhost:99999",
  ],
  "content-length": ["0", "-1", "1e9", "99999999999999999999", "x"],
  "sec-fetch-site": ["cross-site", "none", "x"],
  "accept-encoding": ["gzip", "x"],
  "x-http-method-override": ["DELETE"],
  range: ["bytes=0-1"],
  accept: ["text/html", "*/*;q=x"],
}

const hostileHeaders: fc.Arbitrary<Record<string, string>> = fc.oneof(
  ...Object.entries(headerValues).map(([name, values]) =>
    fc
      .oneof(
        { weight: 3, arbitrary: fc.constantFrom(...values) },
        { weight: 1, arbitrary: headerText },
      )
      .map((value) => ({ [name]: value })),
  ),
)
