import fc from "fast-check"
import { beforeAll, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { type Json, list, query, read, type Stored } from "./cast.ts"

/*
 * The past and the present are one: whoever replays the differences of a history, or follows the feed of changes, arrives
 * at exactly the records that are there; and what was refused is in neither.
 */

interface Page<Item> {
  items: Item[]
  next: string | null
}
interface Version {
  version: number
  kind: string
  changes: Record<string, { from: unknown; to: unknown }> | null
}
interface Change {
  collection: string
  id: string
  kind: string
  record: Json | null
}

let cast: Person[]
let root: Person
beforeAll(async () => {
  root = await signedIn("root", ["administrator", "editor"])
  cast = [await signedIn("alice"), await signedIn("bob"), root]
})

const collections = ["tags", "projects", "articles", "comments"] as const
type Name = (typeof collections)[number]

/** Fields that depend on who asks, and those that belong to no version. */
const elsewhere = new Set([
  ...["id", "version", "createdAt", "updatedAt", "createdBy", "updatedBy"],
  ...["note", "readers", "quotes", "commentCount", "starSum", "starAverage", "weightSum"],
])
const own = (record: Json): Json =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !elsewhere.has(name)))

async function records(collection: Name): Promise<Map<string, Stored>> {
  const found = new Map<string, Stored>()
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Page<Stored> = await list(root, collection, {
      limit: "200",
      ...(cursor && { cursor }),
    })
    for (const record of page.items) found.set(record.id, record)
    cursor = page.next
  }
  return found
}

/** What the differences of a history add up to; null of a record that ended. */
async function replayed(
  collection: Name,
  id: string,
): Promise<{ record: Json; version: number } | null> {
  const versions: Version[] = []
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Page<Version> = await read(
      call(
        root,
        "GET",
        `/records/${collection}/${id}/history?limit=5${cursor && `&cursor=${cursor}`}`,
      ),
      200,
    )
    versions.push(...page.items)
    cursor = page.next
  }
  let record: Json | null = null
  let version = 0
  for (const step of versions.reverse()) {
    expect(step.version).toBe(version + 1)
    version = step.version
    if (step.kind === "deleted") {
      expect(record).not.toBeNull()
      record = null
      continue
    }
    expect(step.kind === "created").toBe(record === null)
    for (const [name, { from, to }] of Object.entries(step.changes ?? {})) {
      if (step.kind === "updated")
        expect(from, `${name} of ${id} ${version}`).toEqual(
          record?.[name] ?? (Array.isArray(from) ? [] : null),
        )
      record = { ...((record as Json | null) ?? {}), [name]: to }
    }
  }
  return record && { record, version }
}

async function everything(): Promise<unknown> {
  const tables = ["changes", "idempotency_keys", ...collections, "articles_tags", "projects_people"]
  return Promise.all(tables.map((table) => query(`SELECT * FROM ${table} ORDER BY 1, 2`)))
}

test("whatever is written by whomever at once, histories and the feed lead to what is there", async () => {
  const step = fc.record({
    who: fc.nat(2),
    kind: fc.constantFrom(
      ...["create", "create", "create", "create", "create"],
      "patch",
      "patch",
      "put",
      "delete",
      "restore",
      "restore",
      "batch",
      "failing batch",
    ),
    collection: fc.constantFrom(...collections),
    at: fc.nat(12),
    to: fc.nat(12),
    version: fc.integer({ min: 1, max: 5 }),
    text: fc.constantFrom("apple", "zebra", "😀 é", ""),
    open: fc.boolean(),
    meta: fc.jsonValue({ maxDepth: 2 }),
  })
  type Step = typeof step extends fc.Arbitrary<infer Drawn> ? Drawn : never
  // However the rest is drawn, one of each succeeds.
  const certain = Object.entries({
    create: collections,
    patch: collections,
    put: collections,
    delete: ["comments"] as const,
    batch: ["articles"] as const,
    restore: ["articles", "comments"] as const,
  }).flatMap(([kind, names]) =>
    names.map((collection): Step => {
      const [at, to, version] = [0, 0, 1]
      return { who: 2, kind, collection, at, to, version, text: "apple", open: true, meta: {} }
    }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 30, maxLength: 30 }),
      async (rounds) => {
        const made: Record<Name, string[]> = { tags: [], projects: [], articles: [], comments: [] }
        const { next: start } = await read<{ next: string }>(
          call(root, "GET", "/changes?since=now"),
          200,
        )
        const pick = (name: Name, n: number) =>
          made[name][n % Math.max(1, made[name].length)] ?? crypto.randomUUID()
        let serial = 0
        const input = ({ collection, at, to, text, open, meta }: Step): Json =>
          ({
            tags: { name: `${text} ${start.slice(0, 12)} ${serial++}`, hidden: !open },
            projects: { name: text || "none" },
            articles: {
              title: text || "none",
              status: open ? "published" : "draft",
              meta,
              tags: [...new Set([pick("tags", at), pick("tags", to)])].slice(0, made.tags.length),
              project: made.projects.length && open ? pick("projects", to) : null,
              words: at,
            },
            comments: {
              article: pick("articles", to),
              text: text || "none",
              stars: 1 + (at % 5),
              approved: open,
            },
          })[collection]
        const write = async (one: Step): Promise<boolean> => {
          const { who, kind, collection, at, version } = one
          const as = cast[who] as Person
          const path = `/records/${collection}`
          const id = pick(collection, at)
          const operations = [
            { method: "POST", path, body: input(one) },
            { method: "PATCH", path: `${path}/$0.id`, body: { ...input(one) } },
            {
              method: kind === "batch" ? "DELETE" : "PATCH",
              path: `${path}/${id}`,
              ...(kind === "batch" ? {} : { body: { nonsense: 1 } }),
            },
          ]
          const requests: Record<string, [string, string, Json?]> = {
            create: ["POST", path, input(one)],
            patch: ["PATCH", `${path}/${id}`, input(one)],
            put: ["PUT", `${path}/${id}`, input(one)],
            delete: ["DELETE", `${path}/${id}`],
            restore: ["POST", `${path}/${id}/restorations`, { version }],
            batch: ["POST", "/batch", { operations }],
            "failing batch": ["POST", "/batch", { operations }],
          }
          const answer = await call(as, ...(requests[kind] as [string, string, Json?]))
          const text = await answer.text()
          expect(answer.status, text).toBeLessThan(500)
          if (kind === "failing batch") expect(answer.ok).toBe(false)
          if (answer.status === 201) made[collection].push((JSON.parse(text) as Stored).id)
          return answer.ok
        }
        for (const one of certain) {
          expect(await write(one), `${one.kind} ${one.collection}`).toBe(true)
        }
        for (const round of rounds) await Promise.all(round.map(write))

        const followed = new Map<string, Json>()
        for (let since = start, rest = true; rest; ) {
          const page = await read<{ items: Change[]; next: string }>(
            call(root, "GET", `/changes?limit=50&since=${since}`),
            200,
          )
          for (const { collection, id, record } of page.items) {
            if (record) followed.set(`${collection} ${id}`, record)
            else followed.delete(`${collection} ${id}`)
          }
          since = page.next
          rest = page.items.length > 0
        }
        for (const collection of collections) {
          const there = await records(collection)
          const ended = await query(
            "SELECT DISTINCT record FROM changes WHERE subject = ? AND kind = 'deleted'",
            [collection],
          )
          for (const [id, record] of there) {
            const past = await replayed(collection, id)
            expect(past?.version).toBe(record.version)
            expect({ ...emptyOf(record), ...past?.record }).toEqual(own(record))
            if (made[collection].includes(id)) {
              expect(own(followed.get(`${collection} ${id}`) ?? {})).toEqual(own(record))
            }
          }
          for (const { record: id } of ended) {
            if (there.has(id as string)) continue
            expect(await replayed(collection, id as string)).toBeNull()
            expect(followed.has(`${collection} ${id}`)).toBe(false)
          }
        }
      },
    ),
    { numRuns: 3, endOnFailure: true },
  )
})

/** What a history does not mention: fields that were empty from the beginning. */
const emptyOf = (record: Json): Json =>
  Object.fromEntries(
    Object.entries(own(record)).map(([name, value]) => [name, Array.isArray(value) ? [] : null]),
  )

test("a batch that fails leaves no trace, wherever it fails", async () => {
  const [alice] = cast as [Person]
  const { id } = await read<Stored>(call(alice, "POST", "/records/tags", { name: "stays" }), 201)
  const good = { method: "POST", path: "/records/projects", body: { name: "x" } }
  const failures: Json[] = [
    { method: "POST", path: "/records/tags", body: { name: "stays" } },
    { method: "PATCH", path: `/records/tags/${id}`, body: { name: "not hers to change" } },
    { method: "PATCH", path: `/records/projects/${crypto.randomUUID()}`, body: { name: "y" } },
    {
      method: "POST",
      path: "/records/articles",
      body: { title: "t", project: crypto.randomUUID() },
    },
    { method: "POST", path: "/records/orders", body: { quantity: 101 } },
    {
      method: "PATCH",
      path: `/records/projects/$0.id`,
      headers: { "If-Match": '"9"' },
      body: { name: "z" },
    },
  ]
  const before = await everything()
  for (const failing of failures) {
    for (const operations of [
      [good, failing],
      [failing, good],
      [good, failing, good],
    ]) {
      if (operations[0] === failing && JSON.stringify(failing).includes("$0")) continue
      const answer = await call(
        alice,
        "POST",
        "/batch",
        { operations },
        { "idempotency-key": crypto.randomUUID() },
      )
      expect(answer.status, await answer.text()).toBeGreaterThanOrEqual(400)
    }
  }
  expect(await everything()).toEqual(before)
})
