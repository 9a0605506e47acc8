import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { keyed, organisationOf } from "../identity/api-key-cast.ts"
import { contentOf, fetchFile, query, read, refused, upload } from "./cast.ts"

/* Who reads and deletes what records hold, by each way that leads to it. */

const people: Record<string, Person | null> = { anonymous: null }
const person = (who: string): Person => people[who] as Person
beforeAll(async () => {
  hush("info", "error")
  for (const name of ["maker", "stranger", "leaver", "colleague"])
    people[name] = await signedIn(name)
  people.administrator = await signedIn("administrator", ["administrator"])
})

const png = (as: Person) => upload(as, new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0]))
const record = async (as: Person, collection: string, fields: object) =>
  (await read<{ id: string }>(call(as, "POST", `/records/${collection}`, fields), 201)).id
const linkTo = async (as: Person, id: string): Promise<string> =>
  (await read<{ url: string }>(call(as, "POST", `/files/${id}/links`, {}), 201)).url

describe("a file that a record holds is read by", () => {
  const held: Record<string, string> = {}
  beforeAll(async () => {
    const maker = person("maker")
    const files = await Promise.all([1, 2, 3, 4, 5, 6].map(() => png(maker)))
    const [a, b, c, d, e, f] = files.map(({ id }) => id) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    await record(maker, "exhibits", { title: "Hidden", picture: a })
    await record(maker, "exhibits", { title: "Open", open: true, picture: b, contract: c })
    await record(maker, "posters", { sheet: d })
    await record(maker, "exhibits", { title: "Hidden", picture: e })
    await record(maker, "posters", { sheet: e })
    Object.assign(held, { hidden: a, open: b, contract: c, poster: d, twice: e, alone: f })
  })

  const ways = {
    "by its id": (as: Person | null, id: string) => call(as, "GET", `/files/${id}`),
    "in part": (as: Person | null, id: string) =>
      call(as, "GET", `/files/${id}`, undefined, { range: "bytes=0-1" }),
    "what it is": (as: Person | null, id: string) => call(as, "HEAD", `/files/${id}`),
    "as a variant": (as: Person | null, id: string) => call(as, "GET", `/files/${id}?preset=none`),
  }
  // What a variant is told of a preset that nobody named comes after what is told of the file.
  const seen = [200, 206, 200, 400]
  const strange = [401, 401, 401, 401]
  const hidden = [404, 404, 404, 404]

  test.each([
    ["hidden", { maker: seen, administrator: seen, stranger: hidden, anonymous: strange }],
    ["open", { maker: seen, administrator: seen, stranger: seen, anonymous: seen }],
    // The rule of a field holds for administrators too; the maker has sent it.
    ["contract", { maker: seen, administrator: hidden, stranger: hidden, anonymous: strange }],
    ["poster", { maker: seen, administrator: seen, stranger: seen, anonymous: seen }],
    ["twice", { maker: seen, administrator: seen, stranger: seen, anonymous: seen }],
    ["alone", { maker: seen, administrator: hidden, stranger: hidden, anonymous: strange }],
  ])("whoever may read it there: %s", async (which, expected) => {
    for (const [who, statuses] of Object.entries(expected)) {
      const answers = await Promise.all(
        Object.values(ways).map((way) => way(people[who] ?? null, held[which] as string)),
      )
      expect([who, ...answers.map(({ status }) => status)]).toEqual([who, ...statuses])
      // A preset that is not known is told without asking for more.
      for (const answer of answers) expect(costOf(answer).trips).toBe(1)
    }
  })

  test("nobody's cache, unless every stranger may", async () => {
    const cached = async (as: Person | null, which: string) =>
      (await fetchFile(as, held[which] as string)).headers.get("cache-control")
    expect(await cached(null, "poster")).toBe("public, max-age=60")
    expect(await cached(person("maker"), "twice")).toBe("public, max-age=60")
    // Open because of what it says, which may change.
    expect(await cached(null, "open")).toBe("private, no-cache")
    expect(await cached(person("administrator"), "hidden")).toBe("private, no-cache")
    expect(await cached(person("maker"), "alone")).toBe("private, no-cache")
    const linked = await call(null, "GET", await linkTo(person("maker"), held.poster as string))
    expect(linked.headers.get("cache-control")).toBe("private, no-cache")
  })

  test("whom a reader of the record gives a link, and by no other link", async () => {
    const [open, poster] = [held.open as string, held.poster as string]
    const url = await linkTo(person("stranger"), open)
    expect((await call(null, "GET", url)).status).toBe(200)
    const { length } = url
    const tampered = url.slice(0, length - 1) + (url[length - 1] === "A" ? "B" : "A")
    for (const wrong of [url.replace(open, poster), tampered, url.replace(".main.", ".second.")]) {
      expect(await refused(call(null, "GET", wrong), 401)).toBe("code_invalid")
    }
    for (const id of [held.hidden, held.contract]) {
      expect(await refused(call(person("stranger"), "POST", `/files/${id}/links`, {}), 404)).toBe(
        "not_found",
      )
    }
    expect(await refused(call(null, "POST", `/files/${open}/links`, {}), 401)).toBe(
      "unauthenticated",
    )
  })

  test("a key within its scopes, which gives away only what it may read itself", async () => {
    const maker = person("maker")
    const scoped = (...scopes: string[]) => keyed(maker, scopes)
    const status = async (as: Person, which: string) =>
      (await fetchFile(as, held[which] as string)).status
    const reader = await scoped("exhibits:read")
    expect([
      await status(reader, "hidden"),
      await status(reader, "alone"),
      await status(reader, "poster"),
    ]).toEqual([200, 404, 404])
    const filer = await scoped("files:read")
    expect([await status(filer, "hidden"), await status(filer, "alone")]).toEqual([200, 200])
    const writer = await scoped("posters:*")
    const sheet = { sheet: held.alone }
    const answer = call(writer, "POST", "/records/posters", sheet)
    expect((await read<{ errors: object[] }>(answer, 400)).errors).toEqual([
      expect.objectContaining({ path: "sheet", code: "unknown_file" }),
    ])
    const both = await scoped("posters:*", "files:read")
    await read(
      call(both, "DELETE", `/records/posters/${await record(both, "posters", sheet)}`),
      204,
    )
  })
})

describe("a file that a record holds is not deleted, and its owner is told", () => {
  test("by which record, if they may read it", async () => {
    const [maker, stranger] = [person("maker"), person("stranger")]
    const file = await png(maker)
    const id = await record(maker, "exhibits", { title: "Vase", picture: file.id })
    const told = async (as: Person) =>
      (await read<{ detail: string }>(call(as, "DELETE", `/files/${file.id}`), 409)).detail
    expect(await told(maker)).toBe(
      `The record ${id} of "exhibits" holds it: give that another, or delete it.`,
    )
    expect(costOf(await call(maker, "DELETE", `/files/${file.id}`)).trips).toBe(1)
    // It goes into other hands, and out of the owner's sight.
    await query("UPDATE exhibits SET maker = ? WHERE id = ?", stranger.id, id)
    expect(await told(maker)).toBe("A record holds it.")
    expect(await refused(call(stranger, "DELETE", `/files/${file.id}`), 404)).toBe("not_found")
    expect((await fetchFile(stranger, file.id)).status).toBe(200)
    await read(call(stranger, "PATCH", `/records/exhibits/${id}`, { picture: null }), 200)
    await read(call(maker, "DELETE", `/files/${file.id}`), 204)
  })
})

describe("organisations", () => {
  test("share what their records hold, with nobody else, and keep it when its sender leaves", async () => {
    const [leaver, colleague, stranger] = ["leaver", "colleague", "stranger"].map(person) as [
      Person,
      Person,
      Person,
    ]
    const organisation = await organisationOf([
      [leaver, ["member"]],
      [colleague, ["member"]],
    ])
    await organisationOf([[stranger, ["member"]]])
    const [inside, beside, outside] = [
      await signIn(leaver.email),
      await signIn(colleague.email),
      await signIn(stranger.email),
    ]
    const file = await png(inside)
    const board = await record(inside, "boards", { sheets: [file.id] })
    const url = await linkTo(beside, file.id)
    const statuses = async () =>
      Promise.all(
        [inside, beside, outside, null].map(async (as) => (await fetchFile(as, file.id)).status),
      )
    expect(await statuses()).toEqual([200, 200, 404, 401])
    expect((await call(null, "GET", url)).status).toBe(200)
    // Another's file goes into no board of theirs, nor does one that was sent outside.
    for (const [as, sheet] of [
      [beside, file],
      [outside, file],
      [beside, await png(person("maker"))],
    ] as const) {
      await read(call(as, "POST", "/records/boards", { sheets: [sheet.id] }), 400)
    }
    await query(
      "DELETE FROM organisation_members WHERE organisation = ? AND user = ?",
      organisation,
      leaver.id,
    )
    await query(
      "DELETE FROM member_organisations WHERE organisation = ? AND member = ?",
      organisation,
      leaver.id,
    )
    expect((await fetchFile(beside, file.id)).status).toBe(200)
    expect(await contentOf(call(null, "GET", url))).toHaveLength(9)
    await read(call(beside, "PATCH", `/records/boards/${board}`, { sheets: [] }), 200)
    expect(await refused(fetchFile(beside, file.id), 404)).toBe("not_found")
    expect(await refused(call(null, "GET", url), 404)).toBe("not_found")
  })
})

describe("whatever happens at once", () => {
  const { env: variables = {} } = import.meta as { env?: Readonly<Record<string, string>> }
  const seed = Number(variables.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))

  test(`no record points at nothing, and what none holds is let go of (seed ${seed})`, async () => {
    const racer = await signedIn("racer")
    const often = ["attach", "delete file", "delete file"] as const
    const step = fc.record({
      kind: fc.constantFrom(...often, "attach", "list", "detach", "delete record", "restore"),
      file: fc.nat(2),
      record: fc.nat(2),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 16 }), async (steps) => {
        const files = await Promise.all([0, 1, 2].map(() => upload(racer, "race")))
        const records = await Promise.all(
          [0, 1, 2].map(() => record(racer, "exhibits", { title: "Race", contract: files[0]?.id })),
        )
        const given = new Set([files[0]?.id])
        await Promise.all(
          steps.map(async ({ kind, file, record }) => {
            const id = (files[file] as StoredFile).id
            const path = `/records/exhibits/${records[record]}`
            const ask = {
              attach: () => call(racer, "PATCH", path, { contract: id }),
              list: () => call(racer, "PUT", path, { title: "Race", leaflets: [id] }),
              detach: () => call(racer, "PATCH", path, { contract: null, leaflets: [] }),
              "delete file": () => call(racer, "DELETE", `/files/${id}`),
              "delete record": () => call(racer, "DELETE", path),
              restore: () => call(racer, "POST", `${path}/restorations`, { version: 1 }),
            }
            const { status } = await ask[kind]()
            expect(status).toBeLessThan(500)
            if (status < 300 && (kind === "attach" || kind === "list")) given.add(id)
          }),
        )
        const held =
          "SELECT contract AS id FROM exhibits WHERE contract IS NOT NULL UNION SELECT target FROM exhibits_leaflets"
        expect(
          await query(
            `SELECT id FROM (${held}) EXCEPT SELECT id FROM files WHERE state = 'stored' AND releasedAt IS NULL`,
          ),
        ).toEqual([])
        const free = `owner = ? AND state = 'stored' AND releasedAt IS NULL AND id NOT IN (${held})`
        const never = await query(`SELECT id FROM files WHERE ${free}`, racer.id)
        for (const { id } of never) expect(given).not.toContain(id)
        await query("UPDATE files SET owner = 'done' WHERE owner = ?", racer.id)
      }),
      { seed, numRuns: 12, endOnFailure: true },
    )
  })
})
