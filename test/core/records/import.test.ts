import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import {
  backRelation,
  boolean,
  choice,
  date,
  datetime,
  expression,
  integer,
  json,
  number,
  relation,
  relations,
  rollup,
  text,
} from "../../../src/core/records/fields.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, get, type Json, linesOf, query, read, refused } from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

/** Everything that a cell can hold. */
const things = collection("things", {
  fields: {
    name: text(),
    code: text({ unique: true }),
    kind: choice(["a", "b"], { required: true, default: "a" }),
    size: integer(),
    weight: number(),
    done: boolean(),
    day: date(),
    at: datetime(),
    data: json(),
    friends: relations("members"),
    owner: relation("members", { required: true, default: expression("@me.id") }),
    flag: text({ writable: 'has(@me.roles, "editor")' }),
  },
  rules: {
    read: "true",
    create: 'owner = @me.id && name != "forbidden"',
    update: "owner = @me.id",
  },
  unique: [["name", "size"]],
})
/** At most three, by a rule that counts what is there. */
const desks = collection("desks", {
  fields: { name: text({ required: true }), room: relation("rooms", { required: true }) },
  rules: { read: "true", create: "room.taken < 3" },
})
const rooms = collection("rooms", {
  fields: {
    name: text(),
    desks: backRelation("desks", "room"),
    taken: rollup("count", "desks"),
  },
  rules: { read: "true", create: "@me.id != null" },
})
const nodes = collection("nodes", {
  fields: { name: text({ required: true }), parent: relation("nodes") },
  rules: { read: "true", create: "@me.id != null" },
})
const sums = collection("sums", {
  fields: { a: integer({ required: true }), twice: integer() },
  rules: { read: "true", create: "@me.id != null", update: "@me.id != null" },
  beforeWrite: {
    run({ input }) {
      if (input?.a === 13) throw new Problem("conflict", "Not thirteen.")
      return { set: { twice: 2 * (input?.a as number) } }
    },
  },
})

/** Each writes a thing as well, whose code may be taken. */
const twins = collection("twins", {
  fields: { code: text({ required: true, max: 20 }) },
  rules: { read: "true", create: "@me.id != null" },
  beforeWrite: {
    run: ({ input, actor }) => ({
      also: [
        {
          action: "create",
          collection: "things",
          input: { code: input?.code, owner: actor.kind === "user" ? actor.id : null },
        },
      ],
    }),
  },
})

let alice: Person
let bob: Person
let editor: Person
let workshop: Workshop
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
  workshop = await openWorkshop([things, desks, rooms, nodes, sums, twins])
})

interface Report {
  dryRun: boolean
  rows: number
  created: number
  updated: number
  unchanged: number
  refused: number
  refusals: {
    line: number
    code: string
    detail: string
    errors?: { path: string; code: string }[]
  }[]
}

const send = (
  as: Person | null,
  name: string,
  body: string | Uint8Array,
  parameters: Record<string, string> = {},
  type = "text/csv",
) =>
  workshop.call(as, "POST", `/records/${name}/import?${new URLSearchParams(parameters)}`, body, {
    "content-type": type,
  })
const load = (as: Person | null, name: string, body: string, parameters = {}) =>
  read<Report>(send(as, name, body, parameters), 200)
const failure = async (answer: Response | Promise<Response>, status: number) =>
  (await refused(answer, status)) as Awaited<ReturnType<typeof refused>> & { report?: Report }
const count = async (name: string, where = "1") =>
  (await query(`SELECT count(*) AS n FROM ${name} WHERE ${where}`))[0]?.n
const stored = (name: string) => query("SELECT * FROM things WHERE name = ?", [name])

describe("a file of rows", () => {
  test("becomes records, each with its line in the log, in one batch", async () => {
    const csv = `name,size,weight,done,day,at,data,friends\r\nfirst,3,-1.5e3,TRUE,2026-11-28,2026-11-28T10:00:00+02:00,"{""a"":[1]}","[""${bob.id}""]"\r\nsecond,,,,,,,\r\n`
    const answer = await send(alice, "things", csv)
    expect(costOf(answer).trips).toBe(1)
    expect(await read<Report>(answer, 200)).toEqual({
      dryRun: false,
      rows: 2,
      created: 2,
      updated: 0,
      unchanged: 0,
      deleted: 0,
      refused: 0,
      refusals: [],
    })
    const [made] = await stored("first")
    const { items } = await read<{ items: Json[] }>(
      workshop.call(alice, "GET", `/records/things?filter=${encodeURIComponent('name = "first"')}`),
      200,
    )
    expect(items[0]).toMatchObject({
      kind: "a",
      size: 3,
      weight: -1500,
      done: true,
      day: "2026-11-28",
      at: "2026-11-28T08:00:00.000Z",
      data: { a: [1] },
      friends: [bob.id],
      owner: alice.id,
      createdBy: alice.id,
      version: 1,
    })
    expect(await linesOf(made?.id as string)).toHaveLength(1)
    expect((await stored("second"))[0]).toMatchObject({ size: null, kind: "a", data: null })
  })

  test("that are refused are told with their lines and reasons, and hold up nobody", async () => {
    await load(alice, "things", "code\ntaken")
    const csv = [
      "name,code,size,data,kind,owner",
      "ok 1,,1,,,",
      "forbidden,,2,,,",
      "x,,many,,,",
      'x,,3,{"a":,,',
      "x,,4,,c,",
      "x,taken,5,,,",
      "x,twice,6,,,",
      "x,twice,7,,,",
      `x,,8,,,${bob.id}`,
      "x,,9,,,00000000-0000-4000-8000-000000000000",
      "too,few",
      "ok 2,,10,,b,",
    ].join("\n")
    const report = await load(alice, "things", csv.replace('{"a":', '"{""a"":"'))
    expect(report).toMatchObject({ rows: 12, created: 3, refused: 9 })
    expect(
      report.refusals.map(({ line, code, errors }) => [
        line,
        code,
        errors?.[0]?.path,
        errors?.[0]?.code,
      ]),
    ).toEqual([
      [3, "forbidden", undefined, undefined],
      [4, "invalid_input", "size", "invalid_type"],
      [5, "invalid_input", "data", "json"],
      [6, "invalid_input", "kind", "invalid_value"],
      [7, "conflict", "code", "taken"],
      [9, "conflict", "code", "taken"],
      [10, "forbidden", undefined, undefined],
      [11, "forbidden", undefined, undefined],
      [12, "invalid_input", "body", "columns"],
    ])
    expect(await stored("ok 1")).toHaveLength(1)
    expect(await stored("ok 2")).toHaveLength(1)
  })

  test("cost the same few trips, however many of them are refused", async () => {
    const rows = (bad: number) =>
      `name,code\n${Array.from({ length: 500 }, (_, n) => `${n < bad ? "forbidden" : `n${bad}`},c${bad}-${n}`).join("\n")}`
    for (const bad of [1, 250, 500]) {
      const answer = await send(alice, "things", rows(bad))
      expect(costOf(answer).trips).toBeLessThanOrEqual(3)
      expect(await read<Report>(answer, 200)).toMatchObject({ created: 500 - bad, refused: bad })
    }
  })

  test("of any number are written a thousand a batch, and their refusals told as far as a thousand", async () => {
    const csv = `code,kind\n${Array.from({ length: 4_500 }, (_, n) => `many-${n},${n % 3 === 0 ? "no" : "b"}`).join("\n")}`
    const answer = await send(alice, "things", csv)
    expect(costOf(answer).trips).toBe(5)
    const report = await read<Report>(answer, 200)
    expect(report).toMatchObject({ rows: 4_500, created: 3_000, refused: 1_500 })
    expect(report.refusals).toHaveLength(1_000)
    expect(report.refusals[999]?.line).toBe(2 + 999 * 3)
  })

  test("follow the rights of each field, for whoever gives it", async () => {
    const csv = "name,flag\nflagged,x\nplain,\n"
    expect(await load(alice, "things", csv)).toMatchObject({ created: 1, refused: 1 })
    expect(await load(editor, "things", csv)).toMatchObject({ created: 2 })
    const ndjson = '{"name":"n1"}\n{"name":"n2","flag":"x"}\n{"name":"n3"}'
    const report = await read<Report>(
      send(alice, "things", ndjson, {}, "application/x-ndjson"),
      200,
    )
    expect(report.refusals.map(({ line }) => line)).toEqual([2])
  })

  test("is for whoever may create", async () => {
    await refused(send(null, "things", "name\nx"), 401)
    await refused(send(alice, "nothing", "name\nx"), 404)
    const events = call(alice, "POST", "/records/orderEvents/import", "order\n", {
      "content-type": "text/csv",
    })
    await refused(events, 403)
    await refused(workshop.call(alice, "GET", "/records/things/import"), 405)
  })
})

describe("what an export wrote", () => {
  const value = {
    name: fc.option(fc.oneof(fc.string(), fc.stringMatching(/^['=+\-@\t"\r\n,;a ]{0,5}$/)), {
      nil: null,
    }),
    size: fc.option(fc.maxSafeInteger(), { nil: null }),
    weight: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null }),
    done: fc.option(fc.boolean(), { nil: null }),
    data: fc.option(fc.jsonValue({ maxDepth: 2 }), { nil: null }),
  }
  test.each(["csv", "ndjson"])("as %s comes back as it was, whatever it was", async (format) => {
    const storable = (one: unknown) => !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(one))
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.record(value).filter(storable), {
          minLength: 1,
          maxLength: 8,
          selector: ({ name, size }) => JSON.stringify([name, size]),
        }),
        async (rows) => {
          await query("DELETE FROM things_friends")
          await query("DELETE FROM things")
          const ndjson = rows.map((row) => JSON.stringify(row)).join("\n")
          const type = "application/x-ndjson"
          const made = await read<Report>(send(alice, "things", ndjson, {}, type), 200)
          expect(made, JSON.stringify(made)).toMatchObject({ created: rows.length })
          const exported = await workshop.call(
            alice,
            "GET",
            `/records/things/export?format=${format}`,
          )
          const file = new TextDecoder().decode(await exported.arrayBuffer())
          const before = await query("SELECT * FROM things ORDER BY id")
          await query("DELETE FROM things")
          const back = await read<Report>(
            send(alice, "things", file, {}, format === "csv" ? "text/csv" : type),
            200,
          )
          expect(back, JSON.stringify(back)).toMatchObject({ created: rows.length, refused: 0 })
          const strip = (all: Json[]) =>
            all.map(({ pk: _, version: __, createdAt: ___, updatedAt: ____, ...row }) => row)
          expect(strip(await query("SELECT * FROM things ORDER BY id"))).toEqual(strip(before))
        },
      ),
      { numRuns: 25 },
    )
  })
})

const utf16 = (text: string, mark: boolean) =>
  new Uint8Array([
    ...(mark ? [0xff, 0xfe] : []),
    ...[...text].flatMap((char) => [char.charCodeAt(0), 0]),
  ])
const latin1 = (text: string) => new Uint8Array([...text].map((char) => char.charCodeAt(0)))

test.each<[string, string | Uint8Array, string, RegExp]>([
  ["an empty file", "", "header", /empty/],
  ["UTF-16 with its mark", utf16("name\nx", true), "encoding", /UTF-16/],
  ["UTF-16 without it", utf16("name\nx", false), "encoding", /UTF-16/],
  ["UTF-32", new Uint8Array([0xff, 0xfe, 0, 0, 0x6e, 0, 0, 0]), "encoding", /UTF-32/],
  ["Latin-1", latin1("name\nMüller"), "encoding", /Latin-1.*Windows-1252/],
  ["a text that is cut within a character", new Uint8Array([0x6e, 0xc3]), "encoding", /UTF-8/],
  ["a workbook", latin1("PK\x03\x04rest"), "encoding", /spreadsheet/],
  ["a compressed file", new Uint8Array([0x1f, 0x8b, 8]), "encoding", /gzip/],
  ["two columns for one field", "name,name\nx,y", "duplicate", /"name"/],
  ["a column without a name", "name,\nx,y", "header", /Column 2/],
  ["a column that is no field", "name,nope\nx,y", "unknown_field", /"nope"/],
  ["ten thousand columns", `${"a,".repeat(9_999)}a\n`, "too_many", /cells/],
  ["semicolons", "name;size\nx;1", "unknown_field", /commas/],
  ["a quote that nothing closes", 'name\n"x', "quote", /Line 2/],
  ["text after a quote", 'name\n"x"y', "quote", /Line 2/],
  ["a cell without end", `name\n"${"x".repeat(1_100_000)}`, "too_big", /Line 2/],
])("%s is refused, and says why", async (_, body, code, message) => {
  const before = await count("things")
  const problem = await failure(send(alice, "things", body), 400)
  expect(problem.errors?.[0]).toMatchObject({ path: "body", code })
  expect(problem.detail).toMatch(message)
  expect(problem.report).toMatchObject({ created: 0 })
  expect(await count("things")).toBe(before)
})

test.each<[string, string, Partial<Report>]>([
  ["a header and nothing else", "name,code\r\n", { rows: 0 }],
  ["a byte order mark", "\ufeffname\r\nbom", { created: 1 }],
  ["CR alone", "name,size\rcr1,1\rcr2,2\r", { created: 2 }],
  ["line ends in cells", 'name,code\r\n"a\r\nb",multi\r\nc,\r\n', { created: 2 }],
  ["lines for nothing", "name,size\n\nx1,1\n\n", { rows: 1, created: 1 }],
  ["NUL in a cell", "name\na\0b\nfine", { created: 1, refused: 1 }],
  ["fields of the server", "id,version,createdAt,createdBy,name\n,7,x,y,server", { created: 1 }],
  ["quotes round everything", '"name","size","done"\n"q","",""', { created: 1 }],
])("%s is no obstacle", async (_, body, expected) => {
  expect(await load(alice, "things", body)).toMatchObject({ refused: 0, ...expected })
})

test.each([
  ["text/plain", 415],
  ["", 415],
  ["application/json", 415],
  ["text/csv; charset=iso-8859-1", 415],
  ["text/csv; charset=UTF-8", 200],
  ["TEXT/CSV; header=present", 200],
])("the media type %j is answered %d", async (type, status) => {
  expect((await send(alice, "things", "name\nmedia", {}, type)).status).toBe(status)
})

test.each<[Record<string, string>, string]>([
  [{ upsert: "size" }, "query.upsert"],
  [{ columns: "x" }, "query.columns"],
  [{ columns: '{"a":1}' }, "query.columns"],
  [{ atomic: "yes" }, "query.atomic"],
  [{ dryrun: "true" }, "query.dryrun"],
])("the parameters %j are refused", async (parameters, path) => {
  const { errors } = await failure(send(alice, "things", "name\nx", parameters), 400)
  expect(errors?.[0]?.path).toBe(path)
})

test("columns go by other names, or are passed over", async () => {
  const columns = JSON.stringify({ "Full name": "name", Remarks: null })
  const csv = "Full name,Remarks,size\nmapped,anything,3"
  expect(await load(alice, "things", csv, { columns })).toMatchObject({ created: 1 })
  expect((await stored("mapped"))[0]).toMatchObject({ size: 3 })
})

test("a dry run judges all, and writes nothing", async () => {
  const before = [await count("things"), await count("changes")]
  const csv = "name,code\ndry,d1\nforbidden,d2\ndry,d1\n"
  const report = await load(alice, "things", csv, { dryRun: "true" })
  expect(report).toMatchObject({ dryRun: true, created: 1, refused: 2 })
  expect(report.refusals.map(({ line }) => line)).toEqual([3, 4])
  expect([await count("things"), await count("changes")]).toEqual(before)
})

test("an atomic import is made whole or not at all, and tells all that speaks against it", async () => {
  const before = await count("things")
  const csv = "name,size\natomic,1\nforbidden,2\natomic,many\n"
  const problem = await failure(send(alice, "things", csv, { atomic: "true" }), 400)
  expect(problem.report).toMatchObject({ rows: 3, created: 0, refused: 2 })
  expect(problem.report?.refusals.map(({ line }) => line)).toEqual([3, 4])
  const big = `name\n${"x\n".repeat(1_001)}`
  expect(
    (await failure(send(alice, "things", big, { atomic: "true" }), 400)).errors?.[0]?.code,
  ).toBe("too_many")
  expect(await count("things")).toBe(before)
  expect(
    await load(alice, "things", "name,size\natomic,1\natomic,2", { atomic: "true" }),
  ).toMatchObject({ created: 2 })
})

test("what was imported before a file cannot be read on stays, and is told", async () => {
  const good = Array.from({ length: 1_500 }, (_, n) => `partial,${n}`).join("\n")
  const problem = await failure(send(alice, "things", `name,size\n${good}\n"open`), 400)
  expect(problem.report).toMatchObject({ rows: 1_000, created: 1_000 })
  expect(await count("things", "name = 'partial'")).toBe(1_000)
})

describe("upsert", () => {
  test("changes the record under the key, makes it where there is none, and leaves what is the same", async () => {
    await load(alice, "things", "code,name,size\nu1,one,1\nu2,two,2\n")
    const csv = "code,name\nu1,uno\nu2,two\nu3,tre\nu1,\n"
    const report = await load(alice, "things", csv, { upsert: "code" })
    expect(report).toMatchObject({ rows: 4, created: 1, updated: 2, unchanged: 1, refused: 0 })
    const found = await query(
      "SELECT code, name, size, version FROM things WHERE code LIKE 'u_' ORDER BY code",
    )
    expect(found).toEqual([
      { code: "u1", name: null, size: 1, version: 3 },
      { code: "u2", name: "two", size: 2, version: 1 },
      { code: "u3", name: "tre", size: null, version: 1 },
    ])
  })

  test("keeps to the rules of each record, and a key that is hidden is taken", async () => {
    await load(bob, "things", "code,name\nbobs,x\n")
    const report = await load(alice, "things", "code,name\nbobs,y\nmine,z\n", { upsert: "code" })
    expect(report).toMatchObject({
      created: 1,
      refused: 1,
      refusals: [{ line: 2, code: "forbidden" }],
    })
    const hidden = await create(bob, "articles", { title: "Hidden", slug: "hidden" })
    const answer = await call(
      alice,
      "POST",
      "/records/articles/import?upsert=slug",
      "slug,title\nhidden,x\n",
      {
        "content-type": "text/csv",
      },
    )
    expect(await read<Report>(answer, 200)).toMatchObject({
      refused: 1,
      refusals: [{ code: "conflict" }],
    })
    expect((await get(bob, "articles", hidden.id)).title).toBe("Hidden")
  })

  test("by id, or by several fields that are unique together", async () => {
    await load(alice, "things", "name,size,weight\npair,1,1\npair,2,2\n")
    const csv = "name,size,weight\npair,1,10\npair,3,30\n"
    expect(await load(alice, "things", csv, { upsert: "size,name" })).toMatchObject({
      created: 1,
      updated: 1,
    })
    const [{ id }] = (await query("SELECT id FROM things WHERE name = 'pair' AND size = 2")) as [
      { id: string },
    ]
    const other = crypto.randomUUID()
    const byId = `id,name,size\n${id},pair,20\n${other},pair,40\n`
    expect(await load(alice, "things", byId, { upsert: "id" })).toMatchObject({
      created: 1,
      updated: 1,
    })
    expect(await count("things", `id IN ('${id}', '${other}') AND size IN (20, 40)`)).toBe(2)
  })

  test("without it, an id that exists is taken", async () => {
    const [{ id }] = (await query("SELECT id FROM things LIMIT 1")) as [{ id: string }]
    const csv = `id,name\n${id},again\nnot-an-id,again\n${crypto.randomUUID()},again\n`
    const report = await load(alice, "things", csv)
    expect(report).toMatchObject({ created: 1, refused: 2 })
    expect(report.refusals.map(({ errors }) => [errors?.[0]?.path, errors?.[0]?.code])).toEqual([
      ["id", "taken"],
      ["id", "id"],
    ])
  })
})

describe("rows that decide about each other are judged in turn", () => {
  test("where a rule counts what the rows before have made", async () => {
    const { id } = await read(workshop.call(alice, "POST", "/records/rooms", { name: "r" }), 201)
    const csv = `name,room\n${Array.from({ length: 5 }, (_, n) => `p${n},${id}`).join("\n")}`
    const report = await load(alice, "desks", csv)
    expect(report).toMatchObject({ created: 3, refused: 2 })
    expect(report.refusals.map(({ line, code }) => [line, code])).toEqual([
      [5, "forbidden"],
      [6, "forbidden"],
    ])
  })

  test("where a record may point at one that stands before it in the file", async () => {
    const [root, leaf, none] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
    const csv = `id,name,parent\n${root},root,\n${leaf},leaf,${root}\n,lost,${none}\n`
    const report = await load(alice, "nodes", csv)
    expect(report).toMatchObject({ created: 2, refused: 1, refusals: [{ line: 4 }] })
  })

  test("where a hook has a say", async () => {
    const report = await load(alice, "sums", "a\n1\n13\n2\n")
    expect(report).toMatchObject({ created: 2, refused: 1 })
    expect(report.refusals[0]).toMatchObject({ line: 3, code: "conflict", detail: "Not thirteen." })
    expect(await query("SELECT a, twice FROM sums ORDER BY a")).toEqual([
      { a: 1, twice: 2 },
      { a: 2, twice: 4 },
    ])
  })

  test("where what a hook writes beside a row is refused, after the row itself was", async () => {
    const codes = ["t1", "t1", "t2", "t3", "t3", "t3", "t4"]
    const report = await load(alice, "twins", `code\n${codes.join("\n")}\n`)
    expect(report).toMatchObject({ created: 4, refused: 3 })
    expect(report.refusals.map(({ line, code }) => [line, code])).toEqual([
      [3, "conflict"],
      [6, "conflict"],
      [7, "conflict"],
    ])
    const stored = "SELECT code FROM twins ORDER BY code"
    expect((await query(stored)).map(({ code }) => code)).toEqual(["t1", "t2", "t3", "t4"])
    expect(await count("things", "code IN ('t1', 't2', 't3', 't4')")).toBe(4)
    expect(await count("sifted")).toBe(0)
  })

  test("in the same few trips, however many of them are refused", async () => {
    const filled = await read(workshop.call(alice, "POST", "/records/rooms", { name: "f" }), 201)
    const none = crypto.randomUUID()
    const cases: [string, string, (n: number) => string, number][] = [
      // Of each kind a hundred of which none can be, and a hundred of which some are.
      ["nodes", "name,parent", (n) => `n${n},${none}`, 0],
      ["nodes", "name,parent", (n) => `n${n},${n % 3 === 0 ? "" : none}`, 34],
      ["desks", "name,room", (n) => `d${n},${filled.id}`, 3],
      ["desks", "name,room", (n) => `${n % 2 ? "" : "d"},${none}`, 0],
    ]
    for (const [name, header, row, made] of cases) {
      const csv = `${header}\n${Array.from({ length: 100 }, (_, n) => row(n)).join("\n")}\n`
      const answer = await send(alice, name, csv)
      expect(costOf(answer).trips, name).toBe(made > 0 ? 3 : 2)
      const report = await read<Report>(answer, 200)
      expect(report, name).toMatchObject({ created: made, refused: 100 - made })
      expect(report.refusals.map(({ line }) => line)).toEqual(
        report.refusals.map(({ line }) => line).toSorted((a, b) => a - b),
      )
    }
    const bobs = Array.from({ length: 100 }, (_, n) => `hundred-${n}`)
    await load(bob, "things", `code\n${bobs.join("\n")}\n`)
    const upsert = { upsert: "code" }
    const csv = `code,name\n${bobs.map((code) => `${code},taken`).join("\n")}\n`
    const answer = await send(alice, "things", csv, upsert)
    // The keys are looked up, too.
    expect(costOf(answer).trips).toBe(3)
    expect(await read<Report>(answer, 200)).toMatchObject({ updated: 0, refused: 100 })
  })

  test("in one more for each whose hook wrote something that is refused", async () => {
    const codes = Array.from({ length: 60 }, (_, n) => `hooked-${n}`)
    await load(alice, "things", `code\n${codes.join("\n")}\n`)
    const answer = await send(alice, "twins", `code\n${codes.join("\n")}\nhooked-new\n`)
    // What is tried first, and what is left; a look for each refusal, and one that finds no more.
    expect(costOf(answer).trips).toBe(60 + 3)
    expect(await read<Report>(answer, 200)).toMatchObject({ created: 1, refused: 60 })
  })

  test("and of a file with the same few keys again and again a hundred are one batch", async () => {
    const rows = Array.from({ length: 1_000 }, (_, n) => `alt-${n % 2},${n}`)
    const answer = await send(alice, "things", `code,size\n${rows.join("\n")}\n`, {
      upsert: "code",
    })
    // Ten batches: the keys, and the rows.
    expect(costOf(answer).trips).toBe(20)
    expect(await read<Report>(answer, 200)).toMatchObject({ created: 2, updated: 998, refused: 0 })
    expect(await query("SELECT size, version FROM things WHERE code LIKE 'alt-%'")).toEqual([
      { size: 998, version: 500 },
      { size: 999, version: 500 },
    ])
  })

  test("a request that has asked the database for long enough says how far it came", async () => {
    // A hook is shown what is stored, so that each of these is a batch of its own.
    const id = crypto.randomUUID()
    const rows = Array.from({ length: 1_000 }, (_, n) => `${id},${n + 20}`)
    const answer = send(alice, "sums", `id,a\n${rows.join("\n")}\n`, { upsert: "id" })
    const { errors, report } = await failure(answer, 400)
    expect(errors).toMatchObject([{ path: "body", code: "too_many" }])
    expect(report?.rows).toBeGreaterThan(100)
    expect(report?.rows).toBeLessThan(1_000)
    expect(await count("sums", `id = '${id}' AND version = ${report?.rows}`)).toBe(1)
  })

  test("as if each came alone, whatever they are and however they repeat each other", async () => {
    const row = fc.record({
      code: fc.constantFrom("p1", "p2", "p3", "p4"),
      name: fc.option(fc.constantFrom("forbidden", "a", "b", "c"), { nil: undefined }),
      size: fc.option(fc.constantFrom(1, 2, "no"), { nil: undefined }),
      flag: fc.option(fc.constant("f"), { nil: undefined, freq: 6 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), async (rows) => {
        const import_ = async (parts: readonly unknown[][]) => {
          await query("DELETE FROM things_friends")
          await query("DELETE FROM things")
          const reports: Report[] = []
          for (const part of parts) {
            const file = part.map((one) => JSON.stringify(one)).join("\n")
            const sent = send(alice, "things", file, { upsert: "code" }, "application/x-ndjson")
            reports.push(await read<Report>(sent, 200))
          }
          const stored = await query(
            "SELECT code, name, size, flag, version FROM things ORDER BY code",
          )
          const sum = (count: (report: Report) => number) =>
            reports.reduce((total, report) => total + count(report), 0)
          return {
            stored,
            created: sum(({ created }) => created),
            updated: sum(({ updated }) => updated),
            unchanged: sum(({ unchanged }) => unchanged),
            reasons: reports.flatMap(({ refusals }) =>
              refusals.map(({ code, detail }) => [code, detail]),
            ),
          }
        }
        const together = await import_([rows])
        expect(together).toEqual(await import_(rows.map((one) => [one])))
      }),
      { numRuns: 25 },
    )
  }, 30_000)
})
