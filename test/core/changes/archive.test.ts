import { env } from "cloudflare:workers"
import fc from "fast-check"
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { archiveHistory, historyArchive } from "../../../src/core/records/archive-job.ts"
import { collection } from "../../../src/core/records/collection.ts"
import {
  boolean,
  expression,
  integer,
  json,
  relation,
  relations,
  text,
} from "../../../src/core/records/fields.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { awaited } from "../../../src/core/webhooks/announce.ts"
import type { App } from "../../../src/platform/app.ts"
import { eventually } from "../../support/eventually.ts"
import { call as callFixtures, costOf, type Person, signedIn } from "../../support/people.ts"
import { type Json, query, read, refused, type Stored } from "../records/cast.ts"
import { openWorkshop, toolApp, type Workshop } from "../records/workshop.ts"

const day = 86_400_000

const notes = collection("notes", {
  fields: {
    title: text({ required: true, max: 100_000 }),
    open: boolean({ default: false }),
    owner: relation("members", { required: true, default: expression("@me.id") }),
    aside: text({ readable: "owner = @me.id", max: 600_000 }),
    meta: json(),
    count: integer(),
    see: relations("notes"),
  },
  rules: {
    read: "open = true || owner = @me.id",
    create: "owner = @me.id",
    update: "owner = @me.id",
    delete: "owner = @me.id",
  },
  history: { retention: "30d" },
})
/** Keeps all its lines where they are. */
const stays = collection("stays", {
  fields: { title: text({ required: true }) },
  rules: { read: "true", create: "true", update: "true", delete: "true" },
})

let shop: Workshop
let alice: Person
let bob: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  shop = await openWorkshop([notes, stays])
})
beforeEach(async () => {
  await query("DELETE FROM notes_see")
  for (const table of [
    "notes",
    "stays",
    "archived_changes",
    "change_segments",
    "archive_positions",
  ]) {
    await query(`DELETE FROM ${table}`)
  }
  await query("DELETE FROM changes WHERE subject <> 'members'")
})

const create = (input: Json, as = alice) =>
  read<Stored>(shop.call(as, "POST", "/records/notes", { title: "t", open: true, ...input }), 201)
const patch = (id: string, input: Json, as = alice) =>
  read<Stored>(shop.call(as, "PATCH", `/records/notes/${id}`, input), 200)
const remove = async (id: string, as = alice) =>
  expect((await shop.call(as, "DELETE", `/records/notes/${id}`)).status).toBe(204)

/** Some time from now: all that is written by then is older than the retention. */
const later = () => toolApp("main", () => Date.now() + 31 * day)
const archive = (app: App = later(), delivered = Number.MAX_SAFE_INTEGER) =>
  archiveHistory(app, shop.collections, delivered)

const inDatabase = async () =>
  (
    await query(
      "SELECT record, version FROM changes WHERE subject = 'notes' ORDER BY record, version",
    )
  ).map(({ record, version }) => `${record} ${version}`)
const inArchive = async () =>
  (await query("SELECT record, version FROM archived_changes ORDER BY record, version")).map(
    ({ record, version }) => `${record} ${version}`,
  )
const objects = async () => (await env.ARCHIVE.list()).objects.map(({ key }) => key)

/** All that anybody can be told of these records' past. */
async function told(ids: readonly string[], moments: readonly string[] = []): Promise<string[]> {
  const answers: string[] = []
  const ask = async (as: Person | null, path: string) => {
    const answer = await shop.call(as, "GET", path)
    const body = (await answer.text()).replace(/"(requestId|next)":"[^"]*"/g, "")
    answers.push(`${as?.email} ${path} ${answer.status} ${body}`)
  }
  for (const as of [alice, bob, null]) {
    for (const id of ids) {
      await ask(as, `/records/notes/${id}/history?limit=3`)
      await ask(as, `/records/notes/${id}/history?limit=200`)
      for (const version of [1, 2, 4]) await ask(as, `/records/notes/${id}/history/${version}`)
      for (const at of moments) await ask(as, `/records/notes/${id}?asOf=${at}`)
    }
    answers.push(JSON.stringify(await feed(as, 200)), JSON.stringify(await feed(as, 2)))
  }
  return answers
}

/** The whole feed of changes, page by page. */
async function feed(as: Person | null, limit: number): Promise<unknown[]> {
  const items: unknown[] = []
  let since = ""
  for (let rest = true; rest; ) {
    const page = await read<{ items: Json[]; next: string }>(
      shop.call(as, "GET", `/changes?limit=${limit}&collection=notes${since && `&since=${since}`}`),
      200,
    )
    items.push(...page.items)
    since = page.next
    rest = page.items.length > 0
  }
  const back: unknown[] = []
  for (let before: string | null = "now"; before !== null; ) {
    const path = `/changes?limit=${limit}&collection=notes&before=${before}`
    const page: { items: Json[]; next: string | null } = await read(shop.call(as, "GET", path), 200)
    back.push(...page.items)
    before = page.next
  }
  expect(back.toReversed()).toEqual(items)
  return items
}

describe("lines that have served their time", () => {
  test("leave the database for R2, but for what stands and what stood at the cutoff", async () => {
    const { id } = await create({})
    const gone = await create({})
    const still = await create({})
    await remove(gone.id)
    for (const count of [1, 2, 3]) await patch(id, { count })
    await query(
      "UPDATE changes SET at = '2999-01-01T00:00:00.000Z' WHERE record = ? AND version = 4",
      [id],
    )
    expect(await archive()).toBe(4)
    expect(await inDatabase()).toEqual([`${id} 3`, `${id} 4`, `${still.id} 1`].sort())
    expect(await inArchive()).toEqual([`${id} 1`, `${id} 2`, `${gone.id} 1`, `${gone.id} 2`].sort())
    expect(await archive()).toBe(0)
  })

  test("only where the collection says how long they stay", async () => {
    const { id } = await read<Stored>(
      shop.call(alice, "POST", "/records/stays", { title: "a" }),
      201,
    )
    await shop.call(alice, "PATCH", `/records/stays/${id}`, { title: "b" })
    expect(await archive()).toBe(0)
  })

  test("and not before", async () => {
    const { id } = await create({})
    await patch(id, { count: 1 })
    expect(await archive(toolApp("main", () => Date.now() + 29 * day))).toBe(0)
    expect(await archive(toolApp("main", () => Date.now() + 31 * day))).toBe(1)
  })

  test("are still found: nobody is told anything else than before", async () => {
    const one = await create({ aside: "alice's", meta: { a: 1 } })
    const two = await create({ open: false, see: [one.id] })
    const moments: string[] = []
    const tick = async () => {
      await new Promise((resolve) => setTimeout(resolve, 4))
      moments.push(new Date().toISOString())
      await new Promise((resolve) => setTimeout(resolve, 4))
    }
    await tick()
    for (const count of [1, 2]) await patch(one.id, { count, aside: `n${count}` })
    await patch(two.id, { open: true, title: "shown" })
    await tick()
    await patch(two.id, { open: false })
    await patch(two.id, { open: true, see: [] })
    const three = await create({ title: "to go" })
    await patch(three.id, { count: 9 })
    await tick()
    await remove(three.id)
    await patch(one.id, { title: "last" })
    const ids = [one.id, two.id, three.id]
    const before = await told(ids, moments)
    expect(await archive()).toBe(3 + 3 + 3)
    expect(await told(ids, moments)).toEqual(before)
    // An answer is something, and not always the same refusal.
    expect(before.filter((answer) => / 200 /.test(answer)).length).toBeGreaterThan(40)
  })

  test("are still found when they are as long as a request lets them be, and nothing but quotes", async () => {
    const long = '"'.repeat(520_000)
    const { id } = await create({ aside: long })
    await patch(id, { aside: null, meta: [long.slice(0, 40_000)] })
    await patch(id, { meta: null, count: 1 })
    const seen = async () => {
      const versions: Stored[] = []
      for (const version of [1, 2, 3]) {
        const path = `/records/notes/${id}/history/${version}`
        versions.push(await read<Stored>(shop.call(alice, "GET", path), 200))
      }
      return [versions, await feed(alice, 200)]
    }
    const before = await seen()
    expect(JSON.stringify(before[0])).toContain(JSON.stringify(long))
    expect(await archive()).toBe(2)
    expect(await seen()).toEqual(before)
  })

  test("stay while somebody waits for them, or has to hear of them again", async () => {
    const { id } = await create({})
    for (const count of [1, 2, 3]) await patch(id, { count })
    const [second] = await query("SELECT seq, id FROM changes WHERE record = ? AND version = 2", [
      id,
    ])
    expect(await archive(later(), second?.seq as number)).toBe(1)
    expect(await inDatabase()).toEqual([`${id} 2`, `${id} 3`, `${id} 4`])
    await query(
      `INSERT INTO jobs (id, name, version, payload, key, state, priority, runAt, attempts, requestId, createdAt, finishedAt)
VALUES ('j', 'changes.deliver', 1, '{}', ?, 'dead', 1, '', 0, '', '', '2026-01-01T00:00:00.000Z')`,
      [second?.id as string],
    )
    expect(await archive()).toBe(1)
    expect(await inDatabase()).toEqual([`${id} 2`, `${id} 4`])
  })

  test("stay while a webhook still waits for them", async () => {
    const { id } = await create({})
    for (const count of [1, 2]) await patch(id, { count })
    const [first, second] = await query("SELECT seq, id FROM changes WHERE record = ?", [id])
    await query(
      "INSERT INTO webhook_endpoints (id, owner, url, events, headerNames, scheme, secret, ratePerSecond, enabled, since, failures, createdAt, updatedAt) VALUES ('e', 'o', '', '[]', '[]', 'v1', '', 1, 1, 0, 0, '', '')",
    )
    for (const [line, finishedAt] of [
      [first, null],
      [second, "2026-01-01T00:00:00.000Z"],
    ] as const) {
      await query(
        "INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt, finishedAt) VALUES (?, 'e', ?, ?, 'notes.created', 'waiting', 0, '', '', ?)",
        [line?.id as string, line?.seq as number, line?.id as string, finishedAt],
      )
    }
    const plan = await query(`EXPLAIN QUERY PLAN SELECT 1 FROM changes c WHERE ${awaited.text}`)
    expect(plan.map(({ detail }) => detail)).toContainEqual(
      expect.stringContaining("webhook_deliveries_unfinished"),
    )
    expect(await archiveHistory(later(), shop.collections, 1e9, { held: [awaited] })).toBe(1)
    expect(await inDatabase()).toEqual([`${id} 1`, `${id} 3`])
    await query("DELETE FROM webhook_deliveries")
    await query("DELETE FROM webhook_endpoints")
  })

  test("are moved by the clock, as far as their listeners have heard", async () => {
    const { id } = await create({})
    await patch(id, { count: 1 })
    expect(historyArchive(linkCollections([stays]))).toEqual([])
    const [{ job } = await Promise.reject(new Error("no schedule"))] = historyArchive(
      shop.collections,
    )
    const run = (app: App) =>
      job.options.run({ app, signal: new AbortController().signal } as never, undefined as never)
    await run({ ...later(), heard: async () => 0 } as unknown as App)
    expect(await inDatabase()).toHaveLength(2)
    // The tests' own worker has a listener, whose pump passes all lines once it is woken.
    await callFixtures(alice, "POST", "/records/parcels", { label: "wakes the pump" })
    await eventually(async () => {
      await run(later())
      expect(await inDatabase()).toHaveLength(1)
    })
  })
})

describe("a record of which lines are archived", () => {
  test("comes back from the bin of old, and goes on counting", async () => {
    const { id } = await create({ title: "first" })
    await patch(id, { title: "second" })
    await remove(id)
    await archive()
    expect(await inDatabase()).toEqual([])
    const path = `/records/notes/${id}/restorations`
    await refused(shop.call(bob, "POST", path, { version: 1 }), 404)
    const back = await read<Stored>(shop.call(alice, "POST", path, { version: 1 }), 200)
    expect(back).toMatchObject({ title: "first", version: 4, createdBy: alice.id })
    expect(await inDatabase()).toEqual([`${id} 4`])
    const { items } = await read<{ items: Json[] }>(
      shop.call(alice, "GET", `/records/notes/${id}/history`),
      200,
    )
    expect(items.map(({ version, kind }) => [version, kind])).toEqual([
      [4, "created"],
      [3, "deleted"],
      [2, "updated"],
      [1, "created"],
    ])
  })

  test("keeps its id: nobody makes another under it, because who may cannot be told without the archive", async () => {
    const { id } = await create({})
    await remove(id)
    await archive()
    for (const person of [alice, bob]) {
      await refused(shop.call(person, "PUT", `/records/notes/${id}`, { title: "n" }), 404)
    }
  })

  test("costs a second trip only where a page reaches into the archive", async () => {
    const { id } = await create({})
    for (const count of [1, 2, 3]) await patch(id, { count })
    await query(
      "UPDATE changes SET at = '2999-01-01T00:00:00.000Z' WHERE record = ? AND version > 2",
      [id],
    )
    await archive()
    const trips = async (path: string) => costOf(await shop.call(alice, "GET", path)).trips
    expect(await trips(`/records/notes/${id}/history?limit=2`)).toBe(1)
    expect(await trips(`/records/notes/${id}/history/4`)).toBe(1)
    expect(await trips(`/records/notes/${id}/history`)).toBe(2)
    expect(await trips(`/records/notes/${id}/history/1`)).toBe(2)
    expect(await trips(`/records/notes/${id}/restorations`)).toBe(0)
  })

  test("is paged over many segments, however few a request reads", async () => {
    const { id } = await create({})
    for (let count = 1; count <= 14; count++) {
      await patch(id, { count })
      await archive()
    }
    expect((await query("SELECT count(*) AS n FROM change_segments"))[0]?.n).toBe(14)
    const versions: number[] = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const page: { items: { version: number; changes: Json | null }[]; next: string | null } =
        await read(
          shop.call(
            alice,
            "GET",
            `/records/notes/${id}/history?limit=200${cursor && `&cursor=${cursor}`}`,
          ),
          200,
        )
      for (const { version, changes } of page.items) {
        versions.push(version)
        // The first of them says what it was made with.
        expect(Object.keys(changes ?? {}).includes("count")).toBe(version > 1)
      }
      cursor = page.next
    }
    expect(versions).toEqual(Array.from({ length: 15 }, (_, n) => 15 - n))
    expect(await feed(alice, 200)).toHaveLength(15)
  })
})

describe("a crash", () => {
  const failing = (app: App, at: "before the put" | "after the put" | "at the reading back") => {
    const bucket = app.archive
    if (!bucket) throw new Error("no bucket")
    return {
      ...app,
      db: app.db,
      archive: {
        async put(key: string, bytes: Uint8Array, sha256: string) {
          if (at === "before the put") throw new Error("crash")
          await bucket.put(key, bytes, sha256)
          if (at === "after the put") throw new Error("crash")
        },
        async get(key: string) {
          const bytes = await bucket.get(key)
          return at === "at the reading back" ? (bytes?.subarray(1) ?? null) : bytes
        },
      },
    } as App
  }

  test.each(["before the put", "after the put", "at the reading back"] as const)(
    "%s leaves every line in the database",
    async (at) => {
      const { id } = await create({})
      await patch(id, { count: 1 })
      const before = await told([id])
      await expect(archive(failing(later(), at))).rejects.toThrow()
      expect(await inDatabase()).toHaveLength(2)
      expect(await inArchive()).toEqual([])
      expect(await told([id])).toEqual(before)
      await archive()
      expect(await inDatabase()).toHaveLength(1)
      expect(await told([id])).toEqual(before)
    },
  )

  test("between R2 and the batch leaves one object, which the next run writes again", async () => {
    const { id } = await create({})
    await patch(id, { count: 1 })
    const known = (await objects()).length
    const app = later()
    const { db } = app
    const spy = vi.spyOn(db, "batch").mockRejectedValueOnce(new Error("crash"))
    await expect(archive(app)).rejects.toThrow("crash")
    spy.mockRestore()
    expect(await objects()).toHaveLength(known + 1)
    expect(await inDatabase()).toHaveLength(2)
    await archive()
    expect(await objects()).toHaveLength(known + 1)
    expect(await inArchive()).toHaveLength(1)
  })

  test("of two runs at once moves each line once", async () => {
    const ids: string[] = []
    for (let n = 0; n < 3; n++) ids.push((await create({ title: `n${n}` })).id)
    for (const id of ids) await patch(id, { count: 1 })
    const before = await told(ids)
    await Promise.allSettled([archive(), archive(), archive()])
    await archive()
    expect(await inArchive()).toHaveLength(3)
    expect(await told(ids)).toEqual(before)
  })
})

describe("an archive that is not what it was", () => {
  test.each(["changed", "gone"])("is never taken for the truth: %s", async (how) => {
    const { id } = await create({ title: "true" })
    await patch(id, { count: 1 })
    await archive()
    const [{ key }] = (await query("SELECT key FROM change_segments")) as [{ key: string }]
    const stored = await (await env.ARCHIVE.get(key))?.text()
    if (how === "gone") await env.ARCHIVE.delete(key)
    else await env.ARCHIVE.put(key, stored?.replace("true", "fake") ?? "")
    const problem = await refused(shop.call(alice, "GET", `/records/notes/${id}/history/1`), 500)
    expect(problem.code).toBe("internal")
    expect(JSON.stringify(problem)).not.toContain("ndjson")
    // What needs nothing of it goes on.
    await read(shop.call(alice, "GET", `/records/notes/${id}`), 200)
    await patch(id, { count: 2 })
    await env.ARCHIVE.put(key, stored ?? "")
    await read(shop.call(alice, "GET", `/records/notes/${id}/history/1`), 200)
  })
})

test("a retention that is none is refused at start-up", () => {
  for (const retention of ["0d", "30", "-1d", "1.5d", "30 d", "1y", ""]) {
    const wrong = { ...notes, options: { ...notes.options, history: { retention } } }
    expect(() => linkCollections([wrong as typeof notes])).toThrow(/retention of "notes"/)
  }
})

test("whatever is written and archived, whenever, nobody is told anything else", async () => {
  const step = fc.record({
    kind: fc.constantFrom("create", "patch", "patch", "delete", "restore", "archive", "archive"),
    at: fc.nat(8),
    who: fc.boolean(),
    open: fc.boolean(),
    count: fc.nat(3),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 25, maxLength: 25 }), async (steps) => {
      const ids: string[] = []
      let moved = 0
      for (const { kind, at, who, open, count } of steps) {
        const as = who ? alice : bob
        const id = ids[at % Math.max(1, ids.length)] ?? crypto.randomUUID()
        if (kind === "create") ids.push((await create({ open, count }, as)).id)
        else if (kind === "patch") {
          await shop.call(as, "PATCH", `/records/notes/${id}`, { open, count, aside: `${at}` })
        } else if (kind === "delete") await shop.call(as, "DELETE", `/records/notes/${id}`)
        else if (kind === "restore") {
          await shop.call(as, "POST", `/records/notes/${id}/restorations`, { version: 1 + count })
        } else {
          const before = await told(ids)
          moved += await archive(toolApp("main", () => Date.now() + (29 + at) * day))
          expect(await told(ids)).toEqual(before)
        }
      }
      // Each record's versions are all there, once, in one place or the other.
      const all = [...(await inDatabase()), ...(await inArchive())]
      expect(new Set(all).size).toBe(all.length)
      const [lost] = await query(
        "SELECT count(*) AS n FROM notes t WHERE NOT EXISTS (SELECT 1 FROM changes c WHERE c.subject = 'notes' AND c.record = t.id AND c.version = t.version)",
      )
      expect(lost?.n).toBe(0)
      await query("DELETE FROM notes_see")
      for (const table of ["notes", "archived_changes", "change_segments", "archive_positions"]) {
        await query(`DELETE FROM ${table}`)
      }
      await query("DELETE FROM changes WHERE subject = 'notes'")
      return moved >= 0
    }),
    { numRuns: 4, endOnFailure: true },
  )
})
