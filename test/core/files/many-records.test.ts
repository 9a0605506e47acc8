import { beforeAll, describe, expect, test } from "vitest"
import type { BulkReport } from "../../../src/client/records.ts"
import { eventually } from "../../support/eventually.ts"
import { hush } from "../../support/hush.ts"
import { call, type Person, signedIn, signIn } from "../../support/people.ts"
import { keyed, organisationOf } from "../identity/api-key-cast.ts"
import { listPath } from "../records/cast.ts"
import { png, query, read, sweepAt, upload } from "./cast.ts"

/* Files in fields of many records at once: imported, exported, changed and deleted by filter, and taken back. */

let alice: Person
let bob: Person
let editor: Person
beforeAll(async () => {
  hush("info", "error")
  ;[alice, bob, editor] = await Promise.all([
    signedIn("alice"),
    signedIn("bob"),
    signedIn("editor", ["editor"]),
  ])
})

interface Exhibit {
  id: string
  title: string
  version: number
  open: boolean
  picture: string | null
  leaflets: string[]
  contract?: string | null
}
type Format = "csv" | "ndjson"
type Pace = "at once" | "in the background"

const idOfPicture = async (as: Person, query = "") => (await png(as, query)).id
const note = async (as: Person, query = "") => (await upload(as, "a", {}, query)).id

const exhibit = (as: Person, fields: object) =>
  read<Exhibit>(call(as, "POST", "/records/exhibits", { title: "Vase", ...fields }), 201)
const exhibitOf = (as: Person, id: string) =>
  read<Exhibit>(call(as, "GET", `/records/exhibits/${id}`), 200)
const titled = async (as: Person, title: string) =>
  (
    await read<{ items: Exhibit[] }>(
      call(as, "GET", listPath("exhibits", { filter: `title = "${title}"`, limit: "200" })),
      200,
    )
  ).items
/** A title that no other test has. */
const newTitle = () => `Title ${crypto.randomUUID()}`

/** Whether something holds each, as the sweep will see it. */
const held = async (...ids: string[]) =>
  Promise.all(
    ids.map(async (id) => {
      const [row] = await query("SELECT releasedAt, destination FROM files WHERE id = ?", id)
      return row?.releasedAt === null && row.destination === null
    }),
  )

/** The report, of an operation too once it is over. */
async function reported(as: Person, answer: Promise<Response>): Promise<BulkReport> {
  const response = await answer
  if (response.status !== 202) return read<BulkReport>(response, 200)
  const path = response.headers.get("location") as string
  return eventually(async () => {
    const report = await read<BulkReport & { state: string }>(call(as, "GET", path), 200)
    expect(report.state).toBe("succeeded")
    const refusals = await read<{ items: BulkReport["refusals"] }>(
      call(as, "GET", `${path}/refusals`),
      200,
    )
    return { ...report, refusals: refusals.items }
  }, 50)
}

const paced = (pace: Pace): Record<string, string> =>
  pace === "at once" ? {} : { prefer: "respond-async" }
const types = { csv: "text/csv", ndjson: "application/x-ndjson" }

const load = (
  as: Person,
  text: string,
  format: Format,
  more: Record<string, string> = {},
  pace: Pace = "at once",
  collection = "exhibits",
) =>
  reported(
    as,
    call(as, "POST", listPath(`${collection}/import`, more), text, {
      "content-type": types[format],
      ...paced(pace),
    }),
  )

/** Rows as a file has them; a member that is absent is an empty cell. */
function fileOf(format: Format, rows: readonly Record<string, unknown>[]): string {
  if (format === "ndjson") return rows.map((row) => `${JSON.stringify(row)}\n`).join("")
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cell = (value: unknown) => {
    const text = Array.isArray(value) ? JSON.stringify(value) : String(value ?? "")
    return `"${text.replaceAll('"', '""')}"`
  }
  return [names, ...rows.map((row) => names.map((name) => row[name]))]
    .map((cells) => `${cells.map(cell).join(",")}\n`)
    .join("")
}

const exported = async (as: Person, format: Format, filter: string) => {
  const answer = await call(as, "GET", listPath("exhibits/export", { format, filter }))
  expect(answer.status).toBe(200)
  return answer.text()
}

/** Of each refusal where it is, and what it names. */
const named = ({ refusals }: BulkReport) =>
  refusals.map(({ line, id, errors }) => [line ?? id, errors?.[0]?.path, errors?.[0]?.code])

const change = (as: Person, filter: string, fields: object, pace: Pace = "at once", more = {}) =>
  reported(as, call(as, "PATCH", listPath("exhibits", { filter, ...more }), fields, paced(pace)))
const remove = (as: Person, filter: string, more = {}) =>
  reported(as, call(as, "DELETE", listPath("exhibits", { filter, ...more })))
/** As the console takes back what was done to many. */
const restore = (as: Person, id: string, version: number, more = {}) =>
  read<Exhibit>(call(as, "POST", `/records/exhibits/${id}/restorations`, { version, ...more }), 200)

const month = 31 * 86_400_000

describe("an import", () => {
  const ways = (["csv", "ndjson"] as const).flatMap((format) =>
    ([{}, { upsert: "id" }] as Record<string, string>[]).flatMap((more) =>
      (["at once", "in the background"] as const).map((pace) => ({ format, more, pace })),
    ),
  )

  test.each(ways)(
    "takes one's own files, and names row and field of others: $format $more $pace",
    async ({ format, more, pace }) => {
      const title = newTitle()
      const [picture, other, own] = [
        await idOfPicture(alice),
        await idOfPicture(bob),
        await idOfPicture(alice),
      ]
      const leaflets = [await note(alice), await note(alice)]
      const foreign = await note(bob)
      const missing = crypto.randomUUID()
      const rows = [
        { title, picture, leaflets },
        { title, picture: other },
        { title, picture: missing },
        { title, picture: leaflets[0] },
        { title, picture: "poster.png" },
        { title, leaflets: [leaflets[0], foreign] },
        { title, leaflets: [missing] },
        { title, picture: own, leaflets: [leaflets[1], leaflets[1]] },
        { title, picture, leaflets: [] },
      ].map((row) => ({ id: crypto.randomUUID(), ...row }))
      const report = await load(alice, fileOf(format, rows), format, more, pace)
      const first = format === "csv" ? 2 : 1
      expect(named(report)).toEqual(
        [
          ["picture", "unknown_file"],
          ["picture", "unknown_file"],
          ["picture", "file_type"],
          ["picture", "id"],
          ["leaflets", "unknown_file"],
          ["leaflets", "unknown_file"],
          ["leaflets", "duplicate"],
        ].map((one, at) => [first + 1 + at, ...one]),
      )
      expect(report).toMatchObject({ rows: 9, created: 2, refused: 7 })
      expect(await exhibitOf(alice, rows[0]?.id as string)).toMatchObject({ picture, leaflets })
      expect(await titled(alice, title)).toHaveLength(2)
      expect(await held(picture, ...leaflets)).toEqual([true, true, true])
    },
  )

  test("tells of a cell of several that is no list of ids", async () => {
    const leaflet = await note(alice)
    const report = await load(
      alice,
      `title,leaflets\na,${leaflet}\nb,"[""${leaflet}""]"\nc,"""${leaflet}"""\n`,
      "csv",
    )
    expect(named(report)).toEqual([
      [2, "leaflets", "json"],
      [4, "leaflets", "invalid_type"],
    ])
  })

  test.each(["csv", "ndjson"] as const)(
    "gives a file that was sent for a field to its record, and to none that is refused: %s",
    async (format) => {
      const [given, refused, judged, spoilt] = [
        await idOfPicture(alice, "?for=exhibits.picture"),
        await idOfPicture(alice, "?for=exhibits.picture"),
        await idOfPicture(alice, "?for=exhibits.picture"),
        await idOfPicture(alice, "?for=exhibits.picture"),
      ]
      const title = newTitle()
      const some = (picture: string) => [
        { title, picture },
        { title: "", picture },
      ]
      await load(alice, fileOf(format, some(judged).slice(0, 1)), format, { dryRun: "true" })
      await read(
        call(
          alice,
          "POST",
          listPath("exhibits/import", { atomic: "true" }),
          fileOf(format, some(spoilt)),
          { "content-type": types[format] },
        ),
        400,
      )
      const rows = [
        { title, picture: given },
        { title: "", picture: refused },
      ]
      expect(await load(alice, fileOf(format, rows), format)).toMatchObject({ created: 1 })
      expect(await held(given, refused, judged, spoilt)).toEqual([true, false, false, false])
      await sweepAt(Date.now() + 86_400_000 + 60_000)
      const there = await query(
        "SELECT id FROM files WHERE id IN (?, ?, ?, ?) AND state = 'stored'",
        given,
        refused,
        judged,
        spoilt,
      )
      expect(there).toEqual([{ id: given }])
    },
  )

  test.each(["at once", "in the background"] as const)(
    "that changes records lets go of what they held, %s",
    async (pace) => {
      const title = newTitle()
      const [a, b, c, d, e] = [
        await idOfPicture(alice),
        await idOfPicture(alice),
        await idOfPicture(alice),
        await note(alice),
        await note(alice),
      ]
      const [one, two, three] = [
        await exhibit(alice, { title, picture: a, leaflets: [d, e] }),
        await exhibit(alice, { title, picture: b }),
        await exhibit(alice, { title, picture: b, contract: a }),
      ]
      // What the second lets go of the third lets go of too; the first takes another.
      const rows = [
        { id: one.id, picture: c, leaflets: [e] },
        { id: two.id, picture: null },
        { id: three.id, picture: await idOfPicture(bob) },
        { id: two.id, picture: a },
      ]
      const first = await load(alice, fileOf("ndjson", rows), "ndjson", { upsert: "id" }, pace)
      expect(first).toMatchObject({ updated: 3, refused: 1 })
      expect(named(first)).toEqual([[3, "picture", "unknown_file"]])
      expect(await held(a, b, c, d, e)).toEqual([true, true, true, false, true])
      const csv = `id,picture,leaflets,contract\n${one.id},${c},"[""${e}""]",\n${two.id},,[],\n${three.id},,,\n`
      const second = await load(alice, csv, "csv", { upsert: "id" }, pace)
      expect(second).toMatchObject({ rows: 3, refused: 0 })
      expect(await held(a, b, c, d, e)).toEqual([false, false, true, false, true])
    },
  )

  test("of two rows for one new record leaves it with the later file", async () => {
    const [early, late, alone] = [
      await idOfPicture(alice),
      await idOfPicture(alice),
      await idOfPicture(alice),
    ]
    const foreign = await idOfPicture(bob)
    const [id, other] = [crypto.randomUUID(), crypto.randomUUID()]
    const rows = [
      { id, title: "Vase", picture: early },
      { id, title: "Vase", picture: late },
      { id: other, title: "Vase", picture: foreign },
      { id: other, title: "Vase", picture: alone },
    ]
    const report = await load(alice, fileOf("csv", rows), "csv", { upsert: "id" })
    expect(named(report)).toEqual([[4, "picture", "unknown_file"]])
    expect([(await exhibitOf(alice, id)).picture, (await exhibitOf(alice, other)).picture]).toEqual(
      [late, alone],
    )
    expect(await held(early, late, alone)).toEqual([false, true, true])
  })

  test.each(["at once", "in the background"] as const)(
    "by a key gives files only with their scope, %s",
    async (pace) => {
      const picture = await idOfPicture(alice)
      const rows = fileOf("csv", [{ title: "Vase", picture }])
      const bare = await keyed(alice, ["exhibits:create", "exhibits:read"])
      const report = await load(bare, rows, "csv", {}, pace)
      expect(named(report)).toEqual([[2, "picture", "unknown_file"]])
      const scoped = await keyed(alice, ["exhibits:create", "exhibits:read", "files:read"])
      expect(await load(scoped, rows, "csv", {}, pace)).toMatchObject({ created: 1 })
    },
  )

  test("of an organisation takes what was sent there", async () => {
    const names = [await signedIn("inside"), await signedIn("beside")] as const
    await organisationOf(names.map((person) => [person, ["member"]] as const))
    const outside = await note(names[0])
    const [inside, beside] = [await signIn(names[0].email), await signIn(names[1].email)]
    const [own, others] = [await note(inside), await note(beside)]
    for (const pace of ["at once", "in the background"] as const) {
      const rows = [own, others, outside].map((id) => ({ sheets: [id] }))
      const report = await load(inside, fileOf("csv", rows), "csv", {}, pace, "boards")
      expect(named(report)).toEqual([
        [3, "sheets", "unknown_file"],
        [4, "sheets", "unknown_file"],
      ])
    }
    expect(await held(own, others, outside)).toEqual([true, true, true])
  })
})

describe("an export", () => {
  test.each(["csv", "ndjson"] as const)("writes what an import reads back: %s", async (format) => {
    const title = newTitle()
    const [picture, contract] = [await idOfPicture(alice), await note(alice)]
    const leaflets = [await note(alice), await note(alice)].reverse()
    await exhibit(alice, { title, picture, leaflets, contract })
    await exhibit(alice, { title })
    const filter = `title = "${title}"`
    const text = await exported(alice, format, filter)
    const before = await titled(alice, title)
    expect(await load(alice, text, format, { upsert: "id" })).toMatchObject({
      unchanged: 2,
      updated: 0,
      refused: 0,
    })
    expect(await remove(alice, filter)).toMatchObject({ deleted: 2 })
    expect(await held(picture, contract, ...leaflets)).toEqual([false, false, false, false])
    expect(await load(alice, text, format)).toMatchObject({ created: 2, refused: 0 })
    const what = ({ id, picture, leaflets, contract }: Exhibit) => ({
      id,
      picture,
      leaflets,
      contract,
    })
    expect((await titled(alice, title)).map(what)).toEqual(before.map(what))
    expect(await held(picture, contract, ...leaflets)).toEqual([true, true, true, true])
    // Of what is kept no longer, row and field are told.
    await remove(alice, filter)
    await sweepAt(Date.now() + month)
    const report = await load(alice, text, format)
    expect(report).toMatchObject({ created: 1, refused: 1 })
    expect(named(report)).toEqual([
      [text.split("\n").findIndex((line) => line.includes(picture)) + 1, "picture", "unknown_file"],
    ])
  })

  test.each(["csv", "ndjson"] as const)(
    "is read back by whoever may write the records, others' files and all: %s",
    async (format) => {
      const title = newTitle()
      const [picture, contract, leaflet] = [
        await idOfPicture(alice),
        await note(alice),
        await note(alice),
      ]
      const made = await exhibit(alice, {
        title,
        picture,
        contract,
        leaflets: [leaflet],
        open: true,
      })
      const text = await exported(editor, format, `title = "${title}"`)
      expect(text).not.toContain(contract)
      for (const pace of ["at once", "in the background"] as const) {
        const report = await load(editor, text, format, { upsert: "id" }, pace)
        expect(report).toMatchObject({ rows: 1, refused: 0 })
      }
      expect(await exhibitOf(alice, made.id)).toMatchObject({
        picture,
        leaflets: [leaflet],
        contract,
      })
      expect(await held(picture, contract, leaflet)).toEqual([true, true, true])
      // As new records they would be given to the editor.
      const copy = text.replaceAll(made.id, crypto.randomUUID()).replaceAll(alice.id, editor.id)
      expect(named(await load(editor, copy, format))).toEqual([
        [format === "csv" ? 2 : 1, "picture", "unknown_file"],
      ])
    },
  )

  test("has what is known of files where it is asked for", async () => {
    const title = newTitle()
    const contract = await upload(alice, "a")
    const { id } = await exhibit(alice, { title, contract: contract.id })
    const fields = "id,contract.type,contract.sizeBytes"
    const answer = await call(
      alice,
      "GET",
      listPath("exhibits/export", { fields, filter: `title = "${title}"` }),
    )
    expect(await answer.text()).toBe(
      `${fields}\r\n${id},${contract.type},${contract.sizeBytes}\r\n`,
    )
  })
})

describe("a change by filter", () => {
  test.each(["at once", "in the background"] as const)(
    "replaces the files of all that it finds, and the undo brings them back, %s",
    async (pace) => {
      const title = newTitle()
      const [a, b, shared, fresh] = [
        await idOfPicture(alice),
        await idOfPicture(alice),
        await idOfPicture(alice),
        await idOfPicture(alice),
      ]
      const leaflet = await note(alice)
      const [, , beside] = [
        await exhibit(alice, { title, picture: a, leaflets: [leaflet] }),
        await exhibit(alice, { title, picture: shared }),
        await exhibit(alice, { picture: shared }),
        await exhibit(alice, { title, picture: b }),
        await exhibit(alice, { title, picture: fresh, leaflets: [] }),
      ]
      const before = await titled(alice, title)
      const fields = { picture: fresh, leaflets: [] }
      const filter = `title = "${title}"`
      await change(alice, filter, fields, pace, { dryRun: "true" })
      expect(await held(a, b, leaflet)).toEqual([true, true, true])
      const report = await change(alice, filter, fields, pace)
      expect(report).toMatchObject({ rows: 4, refused: 0 })
      expect((await titled(alice, title)).map(({ picture }) => picture)).toEqual(
        Array(4).fill(fresh),
      )
      expect(await held(a, b, shared, fresh, leaflet)).toEqual([false, false, true, true, false])
      for (const { id, version } of before) await restore(alice, id, version)
      const files = ({ id, picture, leaflets }: Exhibit) => ({ id, picture, leaflets })
      expect((await titled(alice, title)).map(files)).toEqual(before.map(files))
      expect(await held(a, b, shared, fresh, leaflet)).toEqual(Array(5).fill(true))
      // Of what is gone by then, the undo does without.
      await change(alice, filter, fields, pace)
      await read(call(alice, "DELETE", `/records/exhibits/${beside?.id}`), 204)
      await sweepAt(Date.now() + month)
      for (const { id, version } of before) await restore(alice, id, version)
      expect((await titled(alice, title)).map(files)).toEqual(
        before.map(({ id, picture }) => ({
          id,
          picture: picture === fresh ? fresh : null,
          leaflets: [],
        })),
      )
      expect(await held(fresh)).toEqual([true])
    },
  )

  test.each(["at once", "in the background"] as const)(
    "refuses each record that it would give another's file, one that is missing or of another type, %s",
    async (pace) => {
      const title = newTitle()
      const [own, foreign, text] = [
        await idOfPicture(alice),
        await idOfPicture(bob),
        await note(alice),
      ]
      const many = await Promise.all(
        [own, null].map((picture) => exhibit(alice, { title, picture })),
      )
      const ids = many.map(({ id }) => id).sort()
      const missing = crypto.randomUUID()
      for (const [fields, path, code] of [
        [{ picture: foreign }, "picture", "unknown_file"],
        [{ picture: missing }, "picture", "unknown_file"],
        [{ picture: text }, "picture", "file_type"],
        [{ leaflets: [text, missing] }, "leaflets", "unknown_file"],
        [{ leaflets: [foreign] }, "leaflets", "unknown_file"],
      ] as const) {
        const report = await change(alice, `title = "${title}"`, fields, pace)
        expect(report).toMatchObject({ rows: 2, updated: 0, refused: 2 })
        expect(named(report)).toEqual(ids.map((id) => [id, path, code]))
      }
      expect(await held(own)).toEqual([true])
    },
  )

  test("leaves what a record holds of another's, and gives it to no other", async () => {
    const title = newTitle()
    const [picture, leaflet] = [await idOfPicture(alice), await note(alice)]
    const holding = await exhibit(alice, { title, picture, leaflets: [leaflet], open: true })
    const bare = await exhibit(alice, { title, open: true })
    const filter = `title = "${title}"`
    for (const [fields, path] of [
      [{ picture }, "picture"],
      [{ leaflets: [leaflet] }, "leaflets"],
    ] as const) {
      const report = await change(editor, filter, fields)
      expect(report).toMatchObject({ unchanged: 1, updated: 0, refused: 1 })
      expect(named(report)).toEqual([[bare.id, path, "unknown_file"]])
    }
    const mine = await idOfPicture(editor)
    expect(await change(editor, filter, { picture: mine })).toMatchObject({ updated: 2 })
    expect(await held(picture, mine)).toEqual([false, true])
    expect((await restore(editor, holding.id, holding.version)).picture).toBe(picture)
    expect(await held(picture, mine)).toEqual([true, true])
  })

  test("finds records by their files, each but once", async () => {
    const title = newTitle()
    const [old, fresh] = [await idOfPicture(alice), await idOfPicture(alice)]
    for (let n = 0; n < 3; n++) await exhibit(alice, { title, picture: old })
    await exhibit(alice, { title })
    const filter = `title = "${title}" && picture = "${old}" && picture.type = "image/png"`
    expect(await change(alice, filter, { picture: fresh })).toMatchObject({ rows: 3, updated: 3 })
    expect(await change(alice, filter, { picture: fresh })).toMatchObject({ rows: 0 })
    expect(await held(old, fresh)).toEqual([false, true])
  })

  test("of more than a batch lets go of a file with its last holder", async () => {
    const title = newTitle()
    const [old, fresh] = [await idOfPicture(alice), await idOfPicture(alice)]
    const rows = Array.from({ length: 120 }, () => ({ title, picture: old }))
    expect(await load(alice, fileOf("csv", rows), "csv")).toMatchObject({ created: 120 })
    const filter = `title = "${title}"`
    await change(alice, filter, { picture: fresh })
    expect(await held(old, fresh)).toEqual([false, true])
    expect(await remove(alice, filter)).toMatchObject({ deleted: 120 })
    expect(await held(fresh)).toEqual([false])
  })
})

describe("a deletion by filter", () => {
  test("lets go of the files of all that goes, and each restoration takes its own back", async () => {
    const title = newTitle()
    const [a, b, sheet, leaflet] = [
      await idOfPicture(alice),
      await idOfPicture(alice),
      await note(alice),
      await note(alice),
    ]
    const one = await exhibit(alice, { title, picture: a, leaflets: [leaflet] })
    const two = await exhibit(alice, { title, picture: b, leaflets: [leaflet], contract: a })
    await read(call(alice, "POST", "/records/posters", { sheet, exhibit: two.id }), 201)
    const filter = `title = "${title}"`
    await remove(alice, filter, { dryRun: "true" })
    expect(await held(a, b, sheet, leaflet)).toEqual(Array(4).fill(true))
    expect(await remove(alice, filter)).toMatchObject({ deleted: 2 })
    expect(await held(a, b, sheet, leaflet)).toEqual(Array(4).fill(false))
    const first = await restore(alice, one.id, one.version, { together: true })
    expect(first).toMatchObject({ picture: a, leaflets: [leaflet] })
    expect(await held(a, b, sheet, leaflet)).toEqual([true, false, false, true])
    await sweepAt(Date.now() + month)
    const second = await restore(alice, two.id, two.version, { together: true })
    expect(second).toMatchObject({ picture: null, leaflets: [leaflet], contract: a })
    const posters = await query("SELECT sheet FROM posters WHERE exhibit = ?", two.id)
    expect(posters).toEqual([{ sheet: null }])
  })

  test("that is refused for some keeps the files of these", async () => {
    const title = newTitle()
    const [mine, theirs] = [await idOfPicture(alice), await idOfPicture(bob)]
    await exhibit(alice, { title, picture: mine, open: true })
    const kept = await exhibit(bob, { title, picture: theirs, open: true })
    const report = await remove(alice, `title = "${title}"`)
    expect(report).toMatchObject({ deleted: 1, refused: 1 })
    expect(report.refusals).toEqual([expect.objectContaining({ id: kept.id, code: "forbidden" })])
    expect(await held(mine, theirs)).toEqual([false, true])
  })
})
