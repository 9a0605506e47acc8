import fc from "fast-check"

/*
 * What nobody sends by accident. Texts first, then whole JSON values as text: some of them (1e400, -0, a name given
 * twice) exist in JSON only, not in JavaScript.
 */

const words = [
  "",
  " ",
  "'",
  '"',
  "`",
  ";",
  "--",
  "/*",
  "\\",
  "%",
  "_",
  "*",
  "?",
  "?1",
  ":x",
  "@x",
  "$1",
  "'; DROP TABLE articles; --",
  '" OR ""="',
  "1 OR 1=1",
  "' UNION SELECT passwordHash FROM users --",
  "x'); DELETE FROM changes; --",
  "refused|0|forbidden|",
  "refused|0|not_found||",
  "D1_ERROR: overloaded",
  "UNIQUE constraint failed: articles.slug",
  '"unbalanced',
  "NEAR(a b, 3)",
  "a AND",
  "NOT a",
  "a OR OR b",
  "title : x",
  "{title body} : x",
  "^a",
  "- a",
  "a + b",
  "(a",
  "a*b*",
  "secret:x",
  "👩‍👩‍👧‍👦",
  "e\u0301\u0327",
  "\u202e\u200b\ufeff",
  "İıſK",
  "\0",
  "a\0b",
  "\ud800",
  "\udfff\ud800",
  "\u{10ffff}",
  "\r\nx-injected: 1",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "undefined",
  "true",
  "NaN",
  "Infinity",
  "-0",
  "1e400",
  "0x10",
  "9007199254740993",
  "2026-02-30",
  "0000-00-00",
  "9999-12-31T23:59:59.999Z",
  "+275760-09-13T00:00:00.000Z",
  "2026-11-21T09:30:00.000+99:99",
  "@me.id",
  "@now",
  "<script>alert(1)</script>",
  "../../etc/passwd",
  "%00",
  "%zz",
  "{}",
  "[]",
  "$[0]",
  '{"$ref":"#"}',
]

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...words) },
  { weight: 2, arbitrary: fc.constantFrom("\0", "a\0b", "\ud800", "a\udfff", "\udc00\ud800") },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 30 }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 30 }) },
  {
    weight: 1,
    arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 5 }).map((all) => all.join(" ")),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("a", "'", "👍", "%", "(", " a", "a*"),
        fc.constantFrom(51, 501, 4_001, 20_000),
      )
      .map(([text, times]) => text.repeat(times)),
  },
)

const rawNumbers = [
  "-0",
  "0",
  "-1",
  "1e400",
  "-1e400",
  "1e-400",
  "5e-324",
  "1.7976931348623157e308",
  "9007199254740992",
  "9007199254740993",
  "-9223372036854775809",
  "18446744073709551616",
  "0.1",
  "1.0",
  "123456789012345678901234567890",
]

const rawOthers = [
  "null",
  "true",
  "false",
  "[]",
  "{}",
  "[null]",
  "[[]]",
  "[1,2,3]",
  '["a","a"]',
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"toJSON":"x"}',
  '{"a":{"b":{"c":null}}}',
  '{"":""}',
  '{"a\\u0000b":1}',
  '["\\ud800"]',
]

/** Nested as deep as asked. */
export const deep = (levels: number, open = "[", close = "]"): string =>
  open.repeat(levels) + close.repeat(levels)

/** A JSON value as text. */
export const hostileJson: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: hostileText.map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: fc.constantFrom(...rawNumbers) },
  { weight: 2, arbitrary: fc.constantFrom(...rawOthers) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 4 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(50, 501, 1_001, 5_000).map((levels) => deep(levels)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(50, 501, 5_000)
      .map((levels) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`),
  },
)

/** A body that is no JSON object, or hardly one. */
export const hostileBody: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "{",
    "}",
    "[]",
    "null",
    "1",
    '"text"',
    "{'a':1}",
    '{"a":1,}',
    "{a:1}",
    '{"a":1}{"b":2}',
    '{"a":NaN}',
    '{"a":01}',
    "\ufeff{}",
    '{"title":"\\ud83d"}',
    '{"a":"\u0001"}',
    "<xml/>",
    "a=1&b=2",
    deep(100_000),
    deep(100_000, '{"a":', "}"),
    '{"title":"a","title":"b"}',
    '{"__proto__":{"title":"x"}}',
  ),
  hostileText,
  hostileJson,
)

const fieldNames = [
  "id",
  "title",
  "body",
  "status",
  "author",
  "author.name",
  "author.roles",
  "author.epoch",
  "author.id.x",
  "words",
  "score",
  "featured",
  "day",
  "moment",
  "meta",
  "secret",
  "note",
  "project",
  "project.name",
  "project.owner.name",
  "tags",
  "tags.name",
  "comments",
  "comments.text",
  "commentCount",
  "starAverage",
  "createdAt",
  "createdBy",
  "version",
  "pk",
  "organisation",
  "rowid",
  "articles",
  "name",
  "owner",
  "people",
  "subject",
  "parent.parent.subject",
  "children",
  "__proto__",
  "constructor",
  "@new.title",
  "@me.id",
  "@me.email",
  "@me.roles",
  "@org.id",
  "@now",
  "@today - 99999999999d",
  "@now + 9007199254740991h",
]

const operand: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...fieldNames) },
  { weight: 1, arbitrary: fc.constantFrom(...rawNumbers, "null", "true", "false") },
  { weight: 2, arbitrary: hostileText.map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: hostileText.map((text) => `'${text}'`) },
  { weight: 1, arbitrary: fc.constantFrom(...fieldNames).map((name) => `lower(${name})`) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("length", "day", "month", "year", "lower", "count", "sqlite_version"),
        fc.constantFrom(...fieldNames),
      )
      .map(([name, argument]) => `${name}(${argument})`),
  },
)

const operator = fc.constantFrom("=", "!=", ">", ">=", "<", "<=", "~", "!~")

const condition: fc.Arbitrary<string> = fc.letrec<{ one: string }>((tie) => ({
  one: fc.oneof(
    { maxDepth: 4 },
    {
      weight: 5,
      arbitrary: fc.tuple(operand, operator, operand).map((parts) => parts.join(" ")),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(operand, fc.array(operand, { maxLength: 4 }))
        .map(([left, list]) => `${left} in (${list.join(", ")})`),
    },
    { weight: 1, arbitrary: operand },
    {
      weight: 1,
      arbitrary: fc
        .tuple(tie("one"), fc.constantFrom("&&", "||"), tie("one"))
        .map((parts) => parts.join(" ")),
    },
    { weight: 1, arbitrary: tie("one").map((inner) => `!(${inner})`) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          fc.constantFrom("any", "all", "none", "has", "count"),
          fc.constantFrom(
            "comments",
            "tags",
            "people",
            "articles",
            "children",
            "project.people",
            "author",
            "@me.roles",
            "secret",
          ),
          tie("one"),
        )
        .map(([quantifier, many, inner]) => `${quantifier}(${many}, ${inner})`),
    },
  ),
})).one

/** Expressions, most of them wrong, some too long, too deep or too many. */
export const hostileExpression: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: condition },
  { weight: 2, arbitrary: hostileText },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      `${"(".repeat(31)}version = 1${")".repeat(31)}`,
      `${"(".repeat(29)}version = 1${")".repeat(29)}`,
      `${"!".repeat(200)}(version = 1)`,
      "(".repeat(4_000),
      Array.from({ length: 100 }, (_, i) => `version = ${i}`).join(" || "),
      Array.from({ length: 101 }, (_, i) => `version = ${i}`).join(" && "),
      `version in (${Array.from({ length: 500 }, (_, i) => i).join(",")})`,
      Array.from(
        { length: 30 },
        (_, i) => `(id = "${i}" || createdBy != "${i}" && version > ${i})`,
      ).join(" && "),
      `id ~ "${"%a".repeat(100)}"`,
      `id ~ "${"a".repeat(200)}"`,
      `id !~ "${"%_".repeat(1_500)}"`,
      `id = "${"x".repeat(3_990)}"`,
      `id = "${"x".repeat(4_001)}"`,
      `version > ${"9".repeat(400)}`,
      `version = 1${"0".repeat(400)}.5`,
      "createdAt > @now - 99999999999999999999d",
      "createdAt > @today + 99999999999d",
      'createdAt > "2026-13-45"',
      'createdAt = "9999-12-31T23:59:59.999+00:01"',
      "day(createdAt) = 1e400",
      "version = -",
      "any(comments, any(article.comments, any(article.comments, any(article.comments, true))))",
      "author.name = author.name",
      'id = "\\u0000"',
      'id = "\\ud800"',
      "true",
      "!true",
    ),
  },
)
