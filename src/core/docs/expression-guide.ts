import { type Html, html } from "../../platform/html.ts"
import { inline } from "./prose.ts"

/** Each of them parses: a test sees to it. */
export const expressionExamples: readonly (readonly [string, string])[] = [
  ['status = "open" && priority >= 3', "Both must hold."],
  ['title ~ "hobbit"', "The title contains the word, in upper or lower case (ASCII)."],
  ['title ~ "The %"', "With `%` the pattern spans the whole value: it begins with “The ”."],
  ['genre in ("Drama", "Comedy") || genre = null', "One of a few, or none at all."],
  ["createdAt > @now - 7d", "Within the last week."],
  ['releasedOn >= "1999-01-01" && releasedOn < "2000-01-01"', "Dates are texts in ISO 8601."],
  ["year(releasedOn) = 1999", "The same by a function; a range is faster, as it can use an index."],
  ['author.name ~ "ann"', "Through a relation to one record."],
  ["any(reviews, stars = 5)", "At least one of the related records."],
  ["none(reviews, author = @me.id)", "None of them is mine."],
  ["count(reviews) > 3", "How many there are."],
  ['has(tags, "019aa2c5-7d00-7000-8000-000000000001")', "A to-many field holds this id."],
  ["distance(location, 52.52, 13.405) < 5000", "Within 5 km of a point."],
  [
    "within(location, 47, 5, 55, 15)",
    "In a box: its south, west, north and east. Where west is east of east it crosses the antimeridian.",
  ],
  [
    "!(priority > 3) && archived != true",
    "Null is not greater than 3, and is not true: both hold for it.",
  ],
]

const operators: readonly (readonly [string, string])[] = [
  ["= !=", "Equal, not equal. Texts compare by code point, upper and lower case apart."],
  ["> >= < <=", "Order. False when either side is null."],
  [
    "~ !~",
    "Contains, does not contain. `%` in the pattern stands for any text; `_` is an underscore.",
  ],
  ["in (…) !in (…)", "One of these values, or none of them."],
  ["&& || !", "And, or, not. `&&` binds closer than `||`; parentheses group."],
]

const operands: readonly (readonly [string, string])[] = [
  ["title, project.owner.name", "Fields, and fields of related records through relations to one."],
  [
    `"text" 'text'`,
    String.raw`Texts, with the escapes \" \' \\ \n \uXXXX. Dates and instants are texts, too.`,
  ],
  ["42 -1.5 true false null", "Numbers and constants."],
  ["@now @today", "The instant and the day (UTC) of the request, `± 7d`, `3h` or `15m`."],
  [
    "@me.id @me.email @me.kind",
    'Who asks; `@me.kind` is `user`, `service` (the key of a service account), `anonymous` or `system`. `@me.roles` in `has(@me.roles, "editor")`. `@org.id`: the organisation.',
  ],
  ["lower(x) length(x) day(x) month(x) year(x)", "Functions. `lower` folds ASCII."],
  [
    "any(many, …) all(many, …) none(many, …)",
    "Conditions about the records of a to-many field or a back-relation.",
  ],
  ["count(many) count(many, …)", "How many there are, or how many of a kind."],
  [
    "distance(point, latitude, longitude)",
    "Metres along the great circle. Latitude comes first, in degrees (WGS 84): GeoJSON has them the other way round.",
  ],
  ["within(point, south, west, north, east)", "Whether a point lies in a box, its edges included."],
  ["has(many, id)", "Whether a to-many field holds an id."],
]

/** The language of `filter`, and of the rules that this reference shows. */
export const expressionGuide = (): Html => html`
<section id="expressions">
<h2>Expressions</h2>
<p>One language for <code>filter</code> and for the rules of collections.</p>
<div class="wide"><table>
<thead><tr><th>Example</th><th>Finds</th></tr></thead>
<tbody>${rows(expressionExamples)}</tbody></table></div>
<h3>Operators</h3>
<div class="wide"><table><tbody>${rows(operators)}</tbody></table></div>
<h3>Operands</h3>
<div class="wide"><table><tbody>${rows(operands)}</tbody></table></div>
<h3>Null</h3>
<p>${inline('A comparison is true or false, never unknown: `x = null` asks for it; `x != "a"` and `x !~ "a"` are true where x is null; `x > 3` is false there, and so `!(x > 3)` is true.')}</p>
<h3>Limits</h3>
<p>4,000 characters, 100 comparisons, 30 levels of nesting; a pattern with <code>%</code> amid other text has 50 bytes at most. A field or a record that you may not read behaves as if it were not there.</p>
</section>`

const rows = (pairs: readonly (readonly [string, string])[]): Html =>
  html`${pairs.map(([code, text]) => html`<tr><td><code>${code}</code></td><td>${inline(text)}</td></tr>`)}`
