import fc from "fast-check"
import type { Parameter } from "../../../src/core/docs/document.ts"
import { hostileExpression, hostileText } from "./hostile.ts"

/* What goes wrong in addresses and headers. */

export function hostileQuery(parameters: readonly Parameter[]): fc.Arbitrary<string> {
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

export type PathChange = (path: string, collection: string) => string

export const hostilePath: fc.Arbitrary<PathChange> = fc.oneof(
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
          whole.replace(/<[\w-]+:\d+>|(?<=^\/records\/\w+)$/, (at) => (at ? id : `/${id}`)),
    ),
  hostileText.map(
    (text): PathChange =>
      (whole) =>
        whole.replace(/<[\w-]+:\d+>/, encoded(text)),
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
const headerText = hostileText.map((text) => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 4_000))

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
  "idempotency-key": ["", " ", "k1", "k".repeat(255), "k".repeat(256), "a".repeat(500_000)],
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

export const hostileHeaders: fc.Arbitrary<Record<string, string>> = fc.oneof(
  ...Object.entries(headerValues).map(([name, values]) =>
    fc
      .oneof(
        { weight: 3, arbitrary: fc.constantFrom(...values) },
        { weight: 1, arbitrary: headerText },
      )
      .map((value) => ({ [name]: value })),
  ),
)
