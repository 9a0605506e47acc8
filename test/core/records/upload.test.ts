import { exports } from "cloudflare:workers"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { bytesOfBody } from "../../../src/core/records/body-text.ts"
import type { StoredOperation } from "../../../src/core/records/bulk-operation.ts"
import { refusalOf } from "../../../src/core/records/bulk-report.ts"
import { receivingMilliseconds, sweepOperations } from "../../../src/core/records/bulk-sweep.ts"
import { chunksOf } from "../../../src/core/records/import-chunks.ts"
import { type LinkedCollection, linkCollections } from "../../../src/core/records/link.ts"
import { exampleActor } from "../../../src/core/records/personas.ts"
import { receiveFile, type Upload } from "../../../src/core/records/receive-file.ts"
import type { App } from "../../../src/platform/app.ts"
import { invalidInput, Problem } from "../../../src/platform/problem.ts"
import { fixtures } from "../../support/collections.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, patch, query, read, refused } from "./cast.ts"
import { toolApp } from "./workshop.ts"

/* Files that are received to be imported in the background. */

let alice: Person
let bob: Person
beforeAll(async () => {
  hush("info", "error")
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})

interface Operation {
  id: string
  state: string
  total: number
  created: number
  refused: number
}

type Body = string | ReadableStream<Uint8Array>
const upload = (as: Person, path: string, body: Body, headers: Record<string, string> = {}) =>
  exports.default.fetch(
    new Request(`http://127.0.0.1/records/${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${as.token}`,
        "content-type": "text/csv",
        prefer: "respond-async",
        ...headers,
      },
      body,
    }),
  )

async function ended(as: Person, answer: Response | Promise<Response>): Promise<Operation> {
  const { id } = await read<Operation>(answer, 202)
  return vi.waitFor(
    async () => {
      const operation = await read<Operation>(call(as, "GET", `/bulk-operations/${id}`), 200)
      expect(operation.state).not.toBe("running")
      return operation
    },
    { timeout: 15_000, interval: 50 },
  )
}

const count = async (sql: string, ...params: string[]) => (await query(sql, params))[0]?.n
const kept = async () => [
  await count("SELECT count(*) AS n FROM bulk_operations"),
  await count("SELECT count(*) AS n FROM bulk_parts"),
]
const text = (piece: string) => new TextEncoder().encode(piece)

const collections = linkCollections(fixtures)

/** Received for her without a request, so that whatever can go wrong does so at will. */
async function receive(app: App, upload: Partial<Upload>): Promise<StoredOperation> {
  const [member] = await query("SELECT epoch FROM members WHERE id = ?", [alice.id])
  const actor = exampleActor({ id: alice.id, email: alice.email, roles: [], organisation: null })
  const request = { upsert: null, filter: null, patch: null, dryRun: false }
  return receiveFile(
    app,
    { ...actor, epoch: member?.epoch as number },
    collections,
    { kind: "import", collection: "tags", request },
    {
      chunks: (async function* () {})(),
      roomBytes: 1_000_000,
      readRest: async () => {},
      idempotency: null,
      hash: () => "hash",
      ...upload,
    },
  )
}

async function* rowsNamed(...names: string[]) {
  yield names.map((name, n) => ({ line: n + 1, characters: name.length, values: { name } }))
}

/** The app, which is killed after its second batch. */
function dying(app: App): App {
  let batches = 0
  const batch: App["db"]["batch"] = async (statements) => {
    if (++batches > 2) throw new Error("killed")
    return app.db.batch(statements)
  }
  return Object.create(app, { db: { value: { ...app.db, batch } } }) as App
}

/** The app, whose database does what it is told, but gives no answer to a batch with such a statement; or does not do it. */
function deaf(app: App, pattern: RegExp, does = true): App {
  const batch: App["db"]["batch"] = async (statements) => {
    const hit = statements.some((statement) => pattern.test(statement.text))
    const results = hit && !does ? [] : await app.db.batch(statements)
    if (hit) throw new Problem("overloaded")
    return results
  }
  return Object.create(app, { db: { value: { ...app.db, batch } } }) as App
}

/** A body that comes a piece at a time; what takes time comes late. */
const streamOf = (
  ...pieces: (string | Uint8Array | (() => Promise<unknown>))[]
): ReadableStream<Uint8Array> => {
  let at = 0
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = pieces[at++]
      if (piece === undefined) return controller.close()
      if (typeof piece === "function") {
        await piece()
        return controller.enqueue(text("\n"))
      }
      controller.enqueue(typeof piece === "string" ? text(piece) : piece)
    },
  })
}

describe("a file for the background", () => {
  test("takes a trip for each two megabytes, and none of its rows is lost between them", async () => {
    // 3,000 rows of 905 characters are ten parts, and two trips.
    const rows = Array.from({ length: 3_000 }, (_, n) => `${n} ${"x".repeat(900)}`)
    const answer = await upload(
      alice,
      "suggestions/import?dryRun=true",
      `text\n${rows.join("\n")}\n`,
    )
    // Whether it is hopeless costs none; then: begun, two times two megabytes, done, and looked at.
    expect(costOf(answer).trips).toBe(5)
    const operation = await ended(alice, answer)
    expect(operation).toMatchObject({ total: 3_000, created: 3_000, refused: 0 })
  }, 20_000)

  test("of eight megabytes is never held as a whole, and comes out again as it went in", async () => {
    await query("CREATE TABLE seen_parts (position INTEGER, rows INTEGER, bytes INTEGER) STRICT")
    await query(
      "CREATE TRIGGER see_parts AFTER INSERT ON bulk_parts BEGIN INSERT INTO seen_parts SELECT new.position, json_array_length(new.rows), length(CAST(new.rows AS BLOB)); END",
    )
    const rows = 9_000
    const lineOf = (n: number) => `${String(n).padStart(6, "0")} ${"x".repeat(892)}\n`
    const width = lineOf(0).length
    const piece = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, n) => lineOf(from + n)).join("")
    let sent = 0
    let heldMost = 0
    const look = async () => {
      const written = (await count("SELECT ifnull(sum(rows), 0) AS n FROM seen_parts")) as number
      heldMost = Math.max(heldMost, (sent - written) * width)
    }
    // A hundred kilobytes a piece, and a look at what is written down before each.
    const step = 111
    let at = 0
    const stream = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          await look()
          if (at === 0) controller.enqueue(text("name\n"))
          const next = Math.min(rows, at + step)
          if (at === rows) return controller.close()
          controller.enqueue(text(piece(at, next)))
          sent = next
          at = next
        },
      },
      { highWaterMark: 0 },
    )
    const answer = await upload(alice, "tags/import", stream)
    const operation = await ended(alice, answer)
    expect(operation).toMatchObject({ total: rows, created: rows, refused: 0 })
    // As many rows a part as 300,000 characters hold, and as many parts a trip as two megabytes do.
    const rowsAPart = Math.floor(300_000 / (width - 1))
    const parts = await query("SELECT position, rows, bytes FROM seen_parts ORDER BY position")
    expect(parts.map((part) => part.rows)).toEqual(
      Array.from({ length: Math.ceil(rows / rowsAPart) }, (_, n) =>
        Math.min(rowsAPart, rows - n * rowsAPart),
      ),
    )
    expect(parts.map(({ position }) => position)).toEqual(parts.map((_, n) => n))
    const bytes = parts.map((part) => part.bytes as number)
    let trips = 1
    let held = 0
    for (const more of bytes) {
      if (held + more + 1 > 1_900_000) {
        trips++
        held = 0
      }
      held += more + 1
    }
    expect(Math.max(...bytes)).toBeLessThan(1_900_000)
    expect(costOf(answer).trips).toBe(trips + 3)
    expect(heldMost).toBeGreaterThan(1_000_000)
    expect(heldMost).toBeLessThan(3_500_000)
    await query("DROP TRIGGER see_parts")
    await query("DROP TABLE seen_parts")

    const path = `/records/tags/export?fields=name&sort=name&filter=${encodeURIComponent('name ~ "% xxxxxxxx%"')}`
    const exported = await (await call(alice, "GET", path)).text()
    expect(exported.replaceAll("\r\n", "\n")).toBe(`name\n${piece(0, rows)}`)
  }, 40_000)

  test("has a hundred megabytes at most, which is told before it is read where it says so", async () => {
    const before = await kept()
    const { readable, writable } = new FixedLengthStream(100_000_001)
    const answer = await upload(alice, "tags/import", readable)
    expect(answer.status).toBe(413)
    expect(await answer.json()).toMatchObject({ code: "payload_too_large" })
    await writable.abort().catch(() => {})
    expect(await kept()).toEqual(before)
  })

  test("is measured to the byte as it comes in", async () => {
    const request = (bytes: number) =>
      new Request("http://127.0.0.1/", {
        method: "POST",
        body: streamOf("x".repeat(bytes - 7), "y".repeat(7)),
      })
    const readAll = async (bytes: number) => {
      let seen = 0
      for await (const piece of bytesOfBody(request(bytes), 1_000, () => {})) seen += piece.length
      return seen
    }
    expect(await readAll(1_000)).toBe(1_000)
    await expect(readAll(1_001)).rejects.toMatchObject({ code: "payload_too_large" })
  })

  test("may have rows that no value can hold: they are refused with their lines", async () => {
    const wide = "€".repeat(700_000)
    const lines = ['{"name":"narrow-1"}', `{"name":"${wide}"}`, '{"name":"narrow-2"}']
    const operation = await ended(
      alice,
      upload(alice, "tags/import", lines.join("\n"), { "content-type": "application/x-ndjson" }),
    )
    expect(operation).toMatchObject({ state: "succeeded", total: 3, created: 2, refused: 1 })
    const { items } = await read<{ items: { line: number; errors: { code: string }[] }[] }>(
      call(alice, "GET", `/bulk-operations/${operation.id}/refusals`),
      200,
    )
    expect(items).toMatchObject([{ line: 2, errors: [{ code: "too_big" }] }])
  })

  test("may be nothing but mistakes, a hundred in each row, and is told of all rows", async () => {
    const names = Array.from({ length: 100 }, (_, n) => `"${"é".repeat(20)}${n}":1`).join()
    const operation = await ended(
      alice,
      upload(alice, "tags/import", `{${names}}\n`.repeat(900), {
        "content-type": "application/x-ndjson",
      }),
    )
    expect(operation).toMatchObject({ state: "succeeded", total: 900, refused: 900 })
    expect(
      await query(
        "SELECT count(*) AS n, max(position) AS last, max(json_array_length(refusal, '$.errors')) AS errors FROM bulk_refusals WHERE operation = ?",
        [operation.id],
      ),
    ).toEqual([{ n: 900, last: 899, errors: 10 }])
  })
})

describe("an upload that ends early", () => {
  test("keeps no place and no parts, however often it is tried", async () => {
    const before = await kept()
    for (let time = 1; time <= 6; time++) {
      const { readable, writable } = new FixedLengthStream(3_000_000)
      const writer = writable.getWriter()
      const sent = writer
        .write(text(`text\n${`${"x".repeat(900)}\n`.repeat(3_000)}`))
        .then(() => writer.abort(new Error("gone")))
        .catch(() => {})
      const answer = await upload(bob, "suggestions/import", readable).catch(() => null)
      if (answer) expect(answer.status).not.toBe(202)
      await sent
    }
    await vi.waitFor(async () => expect(await kept()).toEqual(before), { timeout: 10_000 })
  }, 30_000)

  test("keeps none when a later piece is not UTF-8", async () => {
    const before = await kept()
    const piece = new Uint8Array([0x61, 0x0a, 0xe9, 0x0a])
    const enough = `${"x".repeat(900)}\n`.repeat(3_000)
    await refused(upload(bob, "suggestions/import", streamOf("text\n", enough, piece)), 400)
    expect(await kept()).toEqual(before)
  })

  test("and was killed frees its place after minutes, and a sweep takes its parts", async () => {
    const ago = (milliseconds: number) => new Date(Date.now() - milliseconds).toISOString()
    const leave = async (id: string, receivedAt: string) => {
      await query(
        "INSERT INTO bulk_operations (id, kind, collection, owner, actor, request, state, total, place, rows, created, updated, unchanged, deleted, refused, createdAt, receivedAt) VALUES (?, 'import', 'tags', ?, '{}', '{}', 'receiving', 0, '', 0, 0, 0, 0, 0, 0, ?, ?)",
        [id, bob.id, ago(86_400_000 * 3), receivedAt],
      )
      await query("INSERT INTO bulk_parts VALUES (?, 0, '[]')", [id])
    }
    for (const n of [1, 2, 3, 4, 5]) await leave(`live-${n}`, ago(receivingMilliseconds - 60_000))
    expect((await refused(upload(bob, "tags/import", "name\nlate"), 429)).code).toBe("rate_limited")
    await query("UPDATE bulk_operations SET receivedAt = ? WHERE id = 'live-5'", [
      ago(receivingMilliseconds + 1_000),
    ])
    await ended(bob, upload(bob, "tags/import", "name\nlate"))
    await sweepOperations(toolApp())
    const left = await query("SELECT id FROM bulk_operations WHERE id LIKE 'live-%' ORDER BY id")
    expect(left.map(({ id }) => id)).toEqual(["live-1", "live-2", "live-3", "live-4"])
    expect(await count("SELECT count(*) AS n FROM bulk_parts WHERE operation = 'live-5'")).toBe(0)
    await query("DELETE FROM bulk_parts WHERE operation LIKE 'live-%'")
    await query("DELETE FROM bulk_operations WHERE id LIKE 'live-%'")
  }, 20_000)

  test("and was swept away while it stood still is refused when it goes on", async () => {
    const before = await kept()
    const swept = () =>
      sweepOperations(toolApp("main", () => Date.now() + receivingMilliseconds + 60_000))
    const enough = `${"x".repeat(900)}\n`.repeat(3_000)
    const { code } = await refused(
      upload(bob, "suggestions/import", streamOf("text\n", enough, swept, "more\n")),
      409,
    )
    expect(code).toBe("conflict")
    expect(await kept()).toEqual(before)
  })
})

describe("an upload that comes slowly", () => {
  test("lives as long as anything comes, be it a row a minute or a piece of one", async () => {
    let elapsed = 0
    const spy = vi.spyOn(performance, "now").mockImplementation(() => elapsed)
    const minute = async () => {
      elapsed += 60_000
      await sweepOperations(toolApp("main", () => Date.now() + elapsed))
    }
    const pieces = Array.from({ length: 8 }, (_, n) => [`slow-${n}`, minute]).flat()
    const long = Array.from({ length: 8 }, () => ["and on ", minute]).flat()
    try {
      const sent = upload(alice, "tags/import", streamOf("name\n", ...pieces, '"', ...long, '"\n'))
      const operation = await ended(alice, sent)
      expect(operation).toMatchObject({ state: "succeeded", total: 9, created: 9 })
    } finally {
      spy.mockRestore()
    }
  }, 20_000)

  test("is passed on in fewer rows than it could be, and only where it is asked for", async () => {
    const tags = collections.get("tags") as LinkedCollection
    const lengthsOf = async (milliseconds: number | null) => {
      let now = 0
      const slow = async function* () {
        for (const names of [["a"], ["b"], ["c"], [], [], [], ["d"]]) {
          now += 15_000
          yield names.map((name) => ({ line: 1, characters: 1, values: { name } }))
        }
      }
      const patience = milliseconds === null ? null : { milliseconds, now: () => now }
      const lengths: number[] = []
      for await (const chunk of chunksOf(
        { chunkRows: 9 },
        tags,
        { upsert: null },
        slow(),
        patience,
      ))
        lengths.push(chunk.length)
      return lengths
    }
    expect(await lengthsOf(20_000)).toEqual([2, 1, 0, 1])
    expect(await lengthsOf(null)).toEqual([4])
  })
})

describe("what is kept of a file", () => {
  /** Begun, wrong, and not tidied up. */
  const brokenOff = async () => {
    const chunks = async function* () {
      yield* rowsNamed("untidy")
      throw invalidInput({ path: "body", code: "quote", message: "Open." })
    }
    const app = deaf(toolApp(), /DELETE FROM bulk_operations/, false)
    await expect(receive(app, { chunks: chunks() })).rejects.toMatchObject({
      code: "invalid_input",
    })
  }

  test("has its bounds, whatever becomes of its rows", async () => {
    const before = await kept()
    const chunks = async function* () {
      const wrong = invalidInput({ path: "body", code: "invalid_type", message: "No object." })
      yield Array.from({ length: 100 }, (_, n) => refusalOf(n + 1, wrong))
    }
    const room = { chunks: chunks(), roomBytes: 5_000 }
    await expect(receive(toolApp(), room)).rejects.toMatchObject({ code: "payload_too_large" })
    const app = toolApp()
    app.cost.trips = 850
    await expect(receive(app, { chunks: rowsNamed("a") })).rejects.toMatchObject({
      code: "payload_too_large",
    })
    expect(await kept()).toEqual(before)
  })

  test("is swept away a slice at a time, also where a sweep was killed in between", async () => {
    const before = await kept()
    const late = () => Date.now() + receivingMilliseconds + 60_000
    await brokenOff()
    const [left] = await query("SELECT id FROM bulk_operations WHERE state = 'receiving'")
    const id = left?.id as string
    await query(
      "INSERT INTO bulk_parts WITH RECURSIVE n(v) AS (SELECT 10 UNION ALL SELECT v + 1 FROM n WHERE v < 459) SELECT ?, v, '[]' FROM n",
      [id],
    )
    await expect(sweepOperations(dying(toolApp("main", late)))).rejects.toThrow("killed")
    expect((await kept())[1]).toBe(250)
    const app = toolApp("main", late)
    await sweepOperations(app)
    expect(await kept()).toEqual(before)
    // What has ended; the next two hundred parts; the rest with its operation.
    expect(app.cost.trips).toBe(3)
  })

  test("and cannot be tidied up hides no reason, and is left to the sweep", async () => {
    const before = await kept()
    await brokenOff()
    expect((await kept())[0]).toBe((before[0] as number) + 1)
    await sweepOperations(toolApp("main", () => Date.now() + receivingMilliseconds + 60_000))
    expect(await kept()).toEqual(before)
  })
})

describe("an Idempotency-Key", () => {
  const key = (name: string) => ({ "idempotency-key": name })

  test("finds what has begun although nobody was told", async () => {
    const idempotency = { route: "POST /records/tags/import", key: "unheard" }
    const app = deaf(toolApp(), /SET state = 'running'/)
    const lost = receive(app, { chunks: rowsNamed("unheard-1", "unheard-2"), idempotency })
    await expect(lost).rejects.toMatchObject({ code: "overloaded" })
    const again = await receive(toolApp(), { chunks: rowsNamed("unheard-1"), idempotency })
    expect(again).toMatchObject({ kind: "import", total: 2 })
    expect(["running", "succeeded"]).toContain(again.state)
    expect(await count("SELECT count(*) AS n FROM jobs WHERE key = ?", again.id)).toBe(1)
  })

  test("makes an upload the one that it was, for its sender and its content", async () => {
    const file = "name\nonce-1\nonce-2\n"
    const first = await ended(alice, upload(alice, "tags/import", file, key("up")))
    const again = await ended(
      alice,
      upload(alice, "tags/import", streamOf("name\nonce-", "1\nonce-2\n"), key("up")),
    )
    expect(again).toEqual(first)
    expect(await count("SELECT count(*) AS n FROM tags WHERE name LIKE 'once-%'")).toBe(2)
    for (const [path, body] of [
      ["tags/import", "name\nonce-1\nonce-3\n"],
      ["tags/import", "name\n"],
      ["tags/import?upsert=name", file],
    ] as const) {
      const { code } = await refused(upload(alice, path, body, key("up")), 422)
      expect(code).toBe("idempotency_mismatch")
    }
    const others = await ended(bob, upload(bob, "tags/import", file, key("up")))
    expect(others.id).not.toBe(first.id)
    expect(others).toMatchObject({ created: 0, refused: 2 })
  }, 20_000)

  test("sent twice at once is one operation", async () => {
    const file = `name\n${Array.from({ length: 500 }, (_, n) => `at-once-${n}`).join("\n")}\n`
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => ended(alice, upload(alice, "tags/import", file, key("at-once")))),
    )
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
    expect(answers[0]).toMatchObject({ created: 500, refused: 0 })
    expect(await count("SELECT count(*) AS n FROM bulk_operations WHERE state = 'receiving'")).toBe(
      0,
    )
  }, 20_000)

  test("is free again when the file could not be read", async () => {
    await refused(upload(alice, "tags/import", 'name\n"open', key("broken")), 400)
    const mended = await ended(alice, upload(alice, "tags/import", "name\nmended", key("broken")))
    expect(mended).toMatchObject({ created: 1 })
  })

  test("is refused where the answer could not be given again", async () => {
    const { errors } = await refused(
      upload(alice, "tags/import", "name\nnow", { ...key("now"), prefer: "" }),
      400,
    )
    expect(errors).toMatchObject([{ path: "headers.idempotency-key", code: "unsupported" }])
    await refused(upload(alice, "tags/import", "name\nnow", key("not ascii é".slice(0, 9))), 400)
    expect(await count("SELECT count(*) AS n FROM tags WHERE name = 'now'")).toBe(0)
  })

  test("makes a restoration once, whoever wrote meanwhile", async () => {
    const { id } = await create(alice, "articles", { title: "first", author: alice.id })
    await patch(alice, "articles", id, { title: "second" })
    const restore = (version: number) =>
      call(alice, "POST", `/records/articles/${id}/restorations`, { version }, key("back"))
    const restored = await read(restore(1), 200)
    expect(restored).toMatchObject({ title: "first", version: 3 })
    await patch(alice, "articles", id, { title: "third" })
    expect(await read(restore(1), 200)).toEqual(restored)
    expect((await refused(restore(2), 422)).code).toBe("idempotency_mismatch")
    expect(await read(call(alice, "GET", `/records/articles/${id}`), 200)).toMatchObject({
      title: "third",
    })
  })
})
