import { beforeAll, describe, expect, test } from "vitest"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { type Json, read, refused } from "./cast.ts"
import { insert, only } from "./pages.ts"

let alice: Person
let bob: Person

interface Answer {
  items: Json[]
  next: string | null
}
const path = (parameters: Record<string, string>, collection = "articles") =>
  `/records/${collection}/aggregate?${new URLSearchParams(parameters)}`
const ask = (as: Person | null, parameters: Record<string, string>) =>
  read<Answer>(call(as, "GET", path(parameters)), 200)

beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  await insert(alice, "sums", [
    { title: "a", words: 1, score: 0.5, featured: 1, day: "2026-01-01" },
    { title: "a", words: 2, score: null, featured: 0, day: "2026-01-31" },
    { title: "b", words: null, score: 2.5, featured: null, day: "2026-12-31" },
    { title: "b", words: 4, score: -1, featured: 1, day: "2027-01-03" },
    { title: "c", words: null, score: null, featured: 0, day: null },
  ])
})

test("measures are those of all records that match", async () => {
  const measure =
    "count,sum(words),avg(words),min(words),max(words),countDistinct(words),sum(score),avg(score),min(title),max(day),countDistinct(featured),max(featured)"
  expect(await ask(null, { filter: only("sums"), measure })).toEqual({
    items: [
      {
        count: 5,
        "sum(words)": 7,
        "avg(words)": 7 / 3,
        "min(words)": 1,
        "max(words)": 4,
        "countDistinct(words)": 3,
        "sum(score)": 2,
        "avg(score)": 2 / 3,
        "min(title)": "a",
        "max(day)": "2027-01-03",
        "countDistinct(featured)": 2,
        "max(featured)": true,
      },
    ],
    next: null,
  })
})

test("without anything asked it is the count, and of nothing it is 0", async () => {
  const filter = 'contact = "nobody@example.test"'
  expect((await ask(null, { filter })).items).toEqual([{ count: 0 }])
  expect((await ask(null, { filter, group: "", measure: " " })).items).toEqual([{ count: 0 }])
  const measure = "count,sum(words),sum(score),avg(score),min(title),countDistinct(words)"
  expect((await ask(null, { filter, measure })).items).toEqual([
    {
      count: 0,
      "sum(words)": 0,
      "sum(score)": 0,
      "avg(score)": null,
      "min(title)": null,
      "countDistinct(words)": 0,
    },
  ])
  expect((await ask(null, { filter, measure, group: "title" })).items).toEqual([])
})

describe("groups", () => {
  const of = async (parameters: Record<string, string>) =>
    (await ask(null, { filter: only("sums"), ...parameters })).items
  test("come in the order of their values, null first", async () => {
    expect(await of({ group: "featured", measure: "count" })).toEqual([
      { featured: null, count: 1 },
      { featured: false, count: 2 },
      { featured: true, count: 2 },
    ])
  })

  test("may be several, and are sorted by what is measured", async () => {
    expect(
      await of({ group: "title,featured", measure: "count,sum(words)", sort: "-sum(words),title" }),
    ).toEqual([
      { title: "b", featured: true, count: 1, "sum(words)": 4 },
      { title: "a", featured: false, count: 1, "sum(words)": 2 },
      { title: "a", featured: true, count: 1, "sum(words)": 1 },
      { title: "b", featured: null, count: 1, "sum(words)": 0 },
      { title: "c", featured: false, count: 1, "sum(words)": 0 },
    ])
  })

  test("without a measure are the distinct values", async () => {
    expect(await of({ group: "title" })).toEqual([{ title: "a" }, { title: "b" }, { title: "c" }])
  })

  test.each([
    ["day", [null, "2026-01-01", "2026-01-31", "2026-12-31", "2027-01-03"]],
    // The week of the turn of the year belongs to the year in which its Thursday lies.
    ["week", [null, "2026-W01", "2026-W05", "2026-W53"]],
    ["month", [null, "2026-01", "2026-12", "2027-01"]],
    ["year", [null, "2026", "2027"]],
  ])("are each %s in UTC", async (bucket, expected) => {
    const group = `${bucket}(day)`
    const items = await of({ group, measure: "count" })
    expect(items.map((item) => item[group])).toEqual(expected)
    expect(items.reduce((sum, { count }) => sum + (count as number), 0)).toBe(5)
  })

  test("are weeks of ISO 8601 for every day, of dates and instants alike", async () => {
    const days = Array.from({ length: 400 }, (_, n) =>
      new Date(Date.UTC(2019, 11, 1) + n * 11 * 86_400_000).toISOString().slice(0, 10),
    )
    await insert(
      alice,
      "weeks",
      days.map((day) => ({ title: isoWeek(day), day })),
    )
    const filter = only("weeks")
    const { items, next } = await ask(null, { filter, group: "title,week(day)", limit: "1000" })
    expect(next).toBeNull()
    expect(new Set(items.map(({ title }) => title))).toEqual(new Set(days.map(isoWeek)))
    expect(items.filter((item) => item.title !== item["week(day)"])).toEqual([])
    const made = await ask(null, {
      filter,
      group: "week(createdAt),day(createdAt),year(updatedAt)",
    })
    expect(made.items).toEqual([
      { "week(createdAt)": "2026-W01", "day(createdAt)": "2026-01-01", "year(updatedAt)": "2026" },
    ])
  })

  test("are shown each once, a page at a time, whatever the order", async () => {
    const filter = only("sums")
    for (const sort of ["", "-title", "sum(score),-count", "-sum(words)", "-avg(score)", "-day"]) {
      const parameters = {
        filter,
        group: "title,featured,day",
        measure: "count,sum(words),sum(score),avg(score)",
        ...(sort && { sort }),
      }
      const all = (await ask(null, parameters)).items
      const walked: Json[] = []
      for (let cursor: string | null = ""; cursor !== null; ) {
        const page: Answer = await ask(null, {
          ...parameters,
          limit: "2",
          ...(cursor && { cursor }),
        })
        walked.push(...page.items)
        cursor = page.next
      }
      expect(walked).toEqual(all)
      expect(all).toHaveLength(5)
    }
  })

  test("say by a cursor and a link that there are more", async () => {
    const answer = await call(null, "GET", path({ group: "title", limit: "1" }))
    expect(answer.headers.get("link")).toMatch(
      /^<\/records\/articles\/aggregate\?group=title&limit=1&cursor=[\w-]+>; rel="next"$/,
    )
    const { next } = await read<Answer>(answer, 200)
    const other = path({ group: "featured", limit: "1", cursor: next as string })
    expect((await refused(call(null, "GET", other), 400)).code).toBe("invalid_cursor")
  })
})

/** By the definition: the week of its Thursday. */
function isoWeek(day: string): string {
  const date = new Date(day)
  date.setUTCDate(date.getUTCDate() + 3 - ((date.getUTCDay() + 6) % 7))
  const year = date.getUTCFullYear()
  const week = 1 + Math.floor((date.getTime() - Date.UTC(year, 0, 1)) / (7 * 86_400_000))
  return `${year}-W${String(week).padStart(2, "0")}`
}

test("a sum of whole numbers is exact beyond what JavaScript holds, and in order", async () => {
  const most = Number.MAX_SAFE_INTEGER
  const rows = Array.from({ length: 3_000 }, (_, n) => ({
    title: n < 1_001 ? "c" : n < 2_000 ? "b" : n < 2_998 ? "a" : "d",
    words: n < 2_998 ? most : -most,
  }))
  await insert(alice, "large", rows)
  const answer = await call(
    null,
    "GET",
    path({ filter: only("large"), group: "title", measure: "sum(words)", sort: "-sum(words)" }),
  )
  const sums = [...(await answer.text()).matchAll(/"(\w)","sum\(words\)":(-?\d+)/g)]
  expect(sums.map(([, title, sum]) => [title, sum])).toEqual([
    ["c", String(BigInt(most) * 1_001n)],
    ["b", String(BigInt(most) * 999n)],
    ["a", String(BigInt(most) * 998n)],
    ["d", String(BigInt(most) * -2n)],
  ])
})

test("a sum beyond every double is no number, and no error", async () => {
  await insert(alice, "infinite", [
    { title: "a", score: 1.7e308 },
    { title: "a", score: 1.7e308 },
  ])
  const { items } = await ask(null, { filter: only("infinite"), measure: "sum(score),count" })
  expect(items).toEqual([{ "sum(score)": null, count: 2 }])
})

describe("rights", () => {
  let own: string
  beforeAll(async () => {
    const project = await read<Json>(
      call(alice, "POST", "/records/projects", { name: "Hidden to bob" }),
      201,
    )
    own = project.id as string
    for (const [title, status, note] of [
      ["open", "published", "one"],
      ["open", "published", "two"],
      ["shut", "draft", "three"],
    ]) {
      const contact = "rights@example.test"
      const input = { title, status, note, contact, project: own, words: 3 }
      await read(call(alice, "POST", "/records/articles", input), 201)
    }
  })
  const asked = { filter: 'contact = "rights@example.test"' }

  test("count no record that the actor may not read", async () => {
    const parameters = { ...asked, group: "title", measure: "count,sum(words)" }
    expect((await ask(bob, parameters)).items).toEqual([
      { title: "open", count: 2, "sum(words)": 6 },
    ])
    expect((await ask(alice, parameters)).items).toEqual([
      { title: "open", count: 2, "sum(words)": 6 },
      { title: "shut", count: 1, "sum(words)": 3 },
    ])
  })

  test("make a hidden field null, in groups, measures and paths", async () => {
    const measure = "count,min(note),countDistinct(note)"
    expect((await ask(bob, { ...asked, group: "note", measure })).items).toEqual([
      { note: null, count: 2, "min(note)": null, "countDistinct(note)": 0 },
    ])
    expect((await ask(bob, { ...asked, group: "project.name", measure: "count" })).items).toEqual([
      { "project.name": null, count: 2 },
    ])
    expect((await ask(alice, { ...asked, group: "project.name", measure })).items).toEqual([
      { "project.name": "Hidden to bob", count: 3, "min(note)": "one", "countDistinct(note)": 3 },
    ])
  })

  test("make a collection that nobody reads one that does not exist", async () => {
    expect((await refused(call(null, "GET", path({}, "vaults")), 401)).code).toBe("unauthenticated")
    await refused(call(alice, "GET", path({}, "vaults")), 404)
  })
})

test("words are searched for", async () => {
  await insert(alice, "words", [{ title: "quokka one" }, { title: "quokka two" }, { title: "x" }])
  expect((await ask(null, { search: "quokka" })).items).toEqual([{ count: 2 }])
  expect((await ask(null, { search: "…" })).items).toEqual([{ count: 0 }])
})

test("it is one trip, whoever asks and whatever for", async () => {
  const parameters = {
    group: "project.name,month(day),featured",
    measure: "count,sum(words),avg(project.version),countDistinct(author.name)",
    filter: "words > 1 || any(comments, stars > 1)",
    search: "x",
    sort: "-count",
  }
  for (const as of [null, alice]) {
    const answer = await call(as, "GET", path(parameters))
    expect(answer.status).toBe(200)
    expect(costOf(answer).trips).toBe(1)
  }
})

test.each([
  [{ group: "nonsense" }, "query.group", "unknown_field"],
  [{ group: "secret" }, "query.group", "unknown_field"],
  [{ group: "project.nonsense" }, "query.group", "unknown_field"],
  [{ group: "tags" }, "query.group", "wrong_type"],
  [{ group: "comments.stars" }, "query.group", "wrong_type"],
  [{ group: "title.x" }, "query.group", "wrong_type"],
  [{ group: "meta" }, "query.group", "wrong_type"],
  [{ group: "month(title)" }, "query.group", "wrong_type"],
  [{ group: "hour(moment)" }, "query.group", "unknown_term"],
  [{ group: "month(day" }, "query.group", "unknown_term"],
  [{ group: 'title" FROM x --' }, "query.group", "unknown_term"],
  [{ group: "title,title" }, "query.group", "repeated"],
  [{ group: "title,,day" }, "query.group", "unknown_term"],
  [{ group: "id,title,body,words,day" }, "query.group", "too_many"],
  [{ measure: "sum(secret)" }, "query.measure", "unknown_field"],
  [{ measure: "sum(title)" }, "query.measure", "wrong_type"],
  [{ measure: "avg(featured)" }, "query.measure", "wrong_type"],
  [{ measure: "max(meta)" }, "query.measure", "wrong_type"],
  [{ measure: "median(words)" }, "query.measure", "unknown_term"],
  [{ measure: "words" }, "query.measure", "unknown_measure"],
  [{ measure: "count", sort: "words" }, "query.sort", "unknown_field"],
  [{ limit: "0" }, "query.limit", "out_of_range"],
  [{ limit: "1001" }, "query.limit", "out_of_range"],
  [{ fields: "id" }, "query.fields", "unknown_parameter"],
  [{ filter: "nonsense = 1" }, "query.filter", "unknown_field"],
])("%j is refused", async (parameters, at, code) => {
  const problem = await refused(call(bob, "GET", path(parameters as Record<string, string>)), 400)
  expect(problem.errors?.map((error) => [error.path, error.code])).toEqual([[at, code]])
})

test("nothing else can be done with it", async () => {
  for (const method of ["POST", "PUT", "DELETE"]) {
    const answer = await call(alice, method, "/records/articles/aggregate", {})
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"])
  }
})
