import { existsSync } from "node:fs"
import { expect, test } from "vitest"
import { collections } from "../../src/app/collections.ts"
import { type Explained, judge, unusedIndexes } from "../../src/core/advisor/findings.ts"
import { readPlan } from "../../src/core/advisor/plan.ts"
import { dollarsFor } from "../../src/core/advisor/price.ts"
import type { Collection } from "../../src/core/records/collection.ts"
import { schemaObjects } from "../../src/core/records/ddl.ts"
import { importRecords } from "../../src/core/records/import.ts"
import { type LinkedCollection, linkCollections } from "../../src/core/records/link.ts"
import { savedViews } from "../../src/core/records/saved-views.ts"
import { system } from "../../src/platform/app.ts"
import { adviceText } from "../../src/tools/advise/text.ts"
import { trafficText } from "../../src/tools/advise/traffic.ts"
import { advise, typicalQueries } from "../../src/tools/advise.ts"
import { inSampleWorld } from "../../src/tools/exposure/world.ts"

/*
 * What plans mean, as a table; then the advice on the collections of this deployment, whichever they are.
 */

const films = 'SELECT * FROM "films" t0 WHERE 1 ORDER BY t0."title" LIMIT 21'
const plans: readonly (readonly [string, string, object])[] = [
  ["SCAN t0", films, { scans: [{ table: "films", index: null }] }],
  [
    "SCAN t0 USING INDEX films_title",
    films,
    { scans: [{ table: "films", index: "films_title" }], indexes: ["films_title"] },
  ],
  [
    "SEARCH t0 USING COVERING INDEX films_title (title=?)",
    films,
    { scans: [], indexes: ["films_title"] },
  ],
  ["SEARCH t0 USING INTEGER PRIMARY KEY (rowid=?)", films, { scans: [], indexes: [] }],
  [
    "SEARCH t0 USING AUTOMATIC COVERING INDEX (x=?)",
    films,
    { automatic: ["films"], indexes: [], scans: [] },
  ],
  ["USE TEMP B-TREE FOR ORDER BY", films, { sorts: true }],
  ["USE TEMP B-TREE FOR LAST TERM OF ORDER BY", films, { sorts: true }],
  ["USE TEMP B-TREE FOR GROUP BY", films, { sorts: false }],
  [
    "SCAN films_search VIRTUAL TABLE INDEX 0:M3",
    "SELECT rowid FROM films_search WHERE films_search MATCH ?",
    { scans: [] },
  ],
  ["SCAN json_each VIRTUAL TABLE INDEX 1:", "SELECT value FROM json_each(?)", { scans: [] }],
  ["SCAN CONSTANT ROW", "SELECT 1", { scans: [] }],
]

test.for(plans)("%s", ([detail, statement, expected]) => {
  expect(readPlan([detail], statement)).toMatchObject(expected)
})

const asked = (details: readonly string[], rowsRead: number, more: Partial<Explained> = {}) =>
  judge(
    {
      ...{ collection: "films", title: "list", persona: "anonymous", limit: 20, rowsCounted: null },
      wanted: { equal: ["genre"], sort: ["-imdbRating"] },
      plan: readPlan(details, films),
      rowsRead,
      ...more,
    },
    (table) => (table === "films" ? 3_200 : 0),
  ).map(({ kind, text }) => `${kind}: ${text}`)

test.for([
  ["a seek costs nothing worth saying", ["SEARCH t0 USING INDEX films_title (title=?)"], 21, []],
  ["an order that ends early is fine", ["SCAN t0 USING INDEX films_title"], 21, []],
  [
    "a scan of a large table names the index that is missing",
    ["SCAN t0", "USE TEMP B-TREE FOR ORDER BY"],
    6_400,
    [
      'scan: reads 6,400 rows, with 3,200 in films: a full scan. Add to indexes of "films": ["genre", "-imdbRating"]',
    ],
  ],
  [
    "an order that is walked to its end is a scan as well",
    ["SCAN t0 USING INDEX films_title"],
    3_190,
    [
      'scan: reads 3,190 rows, with 3,200 in films: a full scan. Add to indexes of "films": ["genre", "-imdbRating"]',
    ],
  ],
  [
    "an index that is made for one request is missing",
    ["SEARCH t0 USING AUTOMATIC COVERING INDEX (genre=?)"],
    21,
    [
      'scan: makes an index over films for each request and throws it away. Add to indexes of "films": ["genre", "-imdbRating"]',
    ],
  ],
  [
    "sorting most of a large table is told",
    ["SEARCH t0 USING INDEX films_genre (genre=?)", "USE TEMP B-TREE FOR ORDER BY"],
    2_000,
    [
      'scan: sorts 2,000 rows before it answers the first. Add to indexes of "films": ["genre", "-imdbRating"]',
    ],
  ],
] as const)("%s", ([, details, rowsRead, expected]) => {
  expect(asked(details, rowsRead)).toEqual(expected)
})

test("counting is told apart from finding", () => {
  const [note] = asked(["SCAN t0 USING INDEX films_title"], 21, { rowsCounted: 3_200 })
  expect(note).toBe(
    "note: count=exact reads 3,200 rows more, each time: ask for it once, not a page.",
  )
})

test("an index is unused when nothing that was explained needed it", () => {
  expect(unusedIndexes(["a", "b"], new Set(["b"]))).toEqual(["a"])
})

test("rows cost what D1 says they do", () => {
  expect(dollarsFor("rowsRead", 1_000_000_000)).toBe(1)
  expect(dollarsFor("rowsWritten", 1_000_000)).toBe(1)
})

test("what a deployment counted becomes a month, the dearest route first", () => {
  const route = { method: "GET", requests: 1_000, rowsWritten: 0 }
  const text = trafficText({
    ...{ from: "2026-11-01T00:00:00Z", to: "2026-11-04T00:00:00Z" },
    routes: [
      { ...route, route: "/records/films", rowsRead: 1_000_000_000 },
      { ...route, route: "/club", rowsRead: 5_000_000_000 },
    ],
  })
  expect(text.split("\n").slice(1)).toEqual([
    "  $50.00  GET /club: 1,000 requests, 5,000,000 rows read each",
    "  $10.00  GET /records/films: 1,000 requests, 1,000,000 rows read each",
    "  $60.00  together",
  ])
})

test("no rule, list or typical query of this deployment scans a large table; one that does is found", async () => {
  const definitions: readonly Collection[] = collections
  if (definitions.length === 0) return
  await inSampleWorld(definitions, async (world) => {
    const typical = await typicalQueries()
    const { advice, open } = await advise(world, typical)
    const scans = advice.explained.flatMap(({ question, findings }) =>
      findings
        .filter(({ kind }) => kind === "scan")
        .map(({ text }) => `${question.collection}, ${question.title}: ${text}`),
    )
    expect(scans).toEqual([])
    expect(adviceText(advice, open, world.source)).toContain("No full scan of a large table.")

    // A product of one's own has no films.
    if (!existsSync("src/app/films.ts")) return
    const query = { filter: 'director = "Stanley Kubrick"', sort: "runningMinutes" }
    const planted = await advise(world, [{ collection: "films", query }])
    const found = planted.advice.explained.at(-1)?.findings
    expect(found).toEqual([
      expect.objectContaining({
        kind: "scan",
        text: expect.stringContaining('Add to indexes of "films": ["director", "runningMinutes"]'),
      }),
    ])
    expect(adviceText(planted.advice, open, "")).toContain("1 full scan of a large table: mend it.")
  })
})

test("what people keep asking is explained as well, and what fits nothing any more is passed over", async () => {
  await inSampleWorld(collections, async (world) => {
    const linked = linkCollections([...collections, savedViews("views")])
    const views = linked.get("views") as LinkedCollection
    const objects = schemaObjects([views]).map(({ sql }) => ({ text: sql, params: [] }))
    await world.app.db.batch(objects)
    const [member] = await world.app.db.all({ text: "SELECT id FROM members LIMIT 1", params: [] })
    const kept = (name: string, filter: string) => ({
      input: { name, collection: "members", filter, owner: String(member?.id) },
    })
    const rows = [kept("Anns", 'name ~ "ann"'), kept("Old", "gone = 1")]
    await importRecords(world.app, system, linked, views, rows)
    const { advice } = await advise({ ...world, collections: linked }, [])
    const titles = advice.explained.map(({ question }) => question.title)
    expect(titles).toContain('views "Anns": list filter=name ~ "ann"')
    expect(titles.filter((title) => title.includes("Old"))).toEqual([])
  })
})
