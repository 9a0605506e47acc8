import { beforeAll, describe, expect, test } from "vitest"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { kept, png, query, read, refused, send, sweepAt, upload } from "./cast.ts"

/* Files in fields of records: what goes in, what comes out, and what is let go of. */

let alice: Person
let bob: Person
let editor: Person
let picture: StoredFile
beforeAll(async () => {
  hush("info", "error")
  ;[alice, bob, editor] = await Promise.all([
    signedIn("alice"),
    signedIn("bob"),
    signedIn("editor", ["editor"]),
  ])
  picture = await png(alice)
})

interface Exhibit {
  id: string
  title: string
  version: number
  picture: string | null
  leaflets: string[]
  expanded?: { picture: StoredFile | null; leaflets: StoredFile[] }
}
const exhibit = (as: Person, fields: object) =>
  read<Exhibit>(call(as, "POST", "/records/exhibits", { title: "Vase", ...fields }), 201)
const patch = (as: Person, id: string, fields: object) =>
  call(as, "PATCH", `/records/exhibits/${id}`, fields)
const releasedAt = async (id: string) =>
  (await query("SELECT releasedAt FROM files WHERE id = ?", id))[0]?.releasedAt

describe("a field of a file", () => {
  test("holds its id, and is expanded to what is known of it", async () => {
    const leaflets = [await upload(alice, "first"), await upload(alice, "second")]
    const ids = leaflets.map(({ id }) => id).reverse()
    const created = await exhibit(alice, { picture: picture.id, leaflets: ids })
    expect([created.picture, created.leaflets]).toEqual([picture.id, ids])
    const path = `/records/exhibits/${created.id}?expand=picture,leaflets`
    const { expanded } = await read<Exhibit>(call(alice, "GET", path), 200)
    expect(expanded).toEqual({ picture, leaflets: leaflets.reverse() })
    const some = "fields=title,picture.type&expand=picture"
    const narrow = await read(call(alice, "GET", `/records/exhibits/${created.id}?${some}`), 200)
    expect(narrow).toEqual({ title: "Vase", expanded: { picture: { type: "image/png" } } })
  })

  test("is filtered by whether there is one, and by what is known of it", async () => {
    const holder = await signedIn("holder")
    const with40 = await exhibit(holder, { picture: (await png(holder)).id })
    const with99 = await exhibit(holder, { picture: (await png(holder, "", 99)).id })
    const none = await exhibit(holder, {})
    const found = async (filter: string) => {
      const path = `/records/exhibits?filter=${encodeURIComponent(`maker = "${holder.id}" && ${filter}`)}`
      const { items } = await read<{ items: Exhibit[] }>(call(holder, "GET", path), 200)
      return items.map(({ id }) => id).sort()
    }
    expect(await found("picture = null")).toEqual([none.id])
    expect(await found("picture.sizeBytes > 50")).toEqual([with99.id])
    expect(await found('picture.type = "image/png"')).toEqual([with40.id, with99.id].sort())
    expect(await found(`picture = "${with40.picture}"`)).toEqual([with40.id])
    expect(await found('any(leaflets, type = "text/plain")')).toEqual([])
  })

  test("costs no trip of its own, and a write without files says nothing to them", async () => {
    const bare = await call(alice, "POST", "/records/exhibits", { title: "Bare" })
    const held = await call(alice, "POST", "/records/exhibits", {
      title: "Held",
      picture: picture.id,
    })
    expect([costOf(bare).trips, costOf(held).trips]).toEqual([1, 1])
    const { id } = await read<Exhibit>(held, 201)
    const changed = await patch(alice, id, { picture: (await png(alice)).id, leaflets: [] })
    expect([changed.status, costOf(changed).trips]).toEqual([200, 1])
  })

  test.each<[what: string, fields: () => Promise<object> | object, path: string, code: string]>([
    ["somebody else's", async () => ({ picture: (await png(bob)).id }), "picture", "unknown_file"],
    ["one that is not there", () => ({ picture: crypto.randomUUID() }), "picture", "unknown_file"],
    [
      "a record",
      async () => ({ picture: (await exhibit(alice, {})).id }),
      "picture",
      "unknown_file",
    ],
    [
      "another type",
      async () => ({ picture: (await upload(alice, "a")).id }),
      "picture",
      "file_type",
    ],
    [
      "another type than was declared",
      async () => ({ picture: (await upload(alice, "a", { "content-type": "image/png" })).id }),
      "picture",
      "file_type",
    ],
    [
      "too many bytes",
      async () => ({ picture: (await png(alice, "", 201)).id }),
      "picture",
      "file_size",
    ],
    ["no id", () => ({ picture: "poster.png" }), "picture", "id"],
    ["an image in a list of texts", () => ({ leaflets: [picture.id] }), "leaflets", "file_type"],
    [
      "too many",
      () => ({ leaflets: ["1", "2", "3", "4"].map(crypto.randomUUID, crypto) }),
      "leaflets",
      "too_big",
    ],
    [
      "the same twice",
      async () => {
        const { id } = await upload(alice, "twice")
        return { leaflets: [id, id] }
      },
      "leaflets",
      "duplicate",
    ],
  ])("takes no %s", async (_, fields, path, code) => {
    const given = await fields()
    const { id } = await exhibit(alice, {})
    for (const answer of [
      await call(alice, "POST", "/records/exhibits", { title: "Vase", ...given }),
      await patch(alice, id, given),
      await call(alice, "PUT", `/records/exhibits/${id}`, { title: "Vase", ...given }),
      await call(alice, "PUT", `/records/exhibits/${crypto.randomUUID()}`, {
        title: "Vase",
        ...given,
      }),
      await call(alice, "POST", "/batch", {
        operations: [
          { method: "POST", path: "/records/exhibits", body: { title: "Vase", ...given } },
        ],
      }),
    ]) {
      const { errors } = await read<{ errors: { path: string; code: string }[] }>(answer, 400)
      expect(errors).toEqual([expect.objectContaining({ code })])
      expect(errors[0]?.path).toMatch(new RegExp(`(?:^|\\.)${path}$`))
    }
  })

  test("says what it takes", async () => {
    const answer = patch(alice, (await exhibit(alice, {})).id, {
      picture: (await upload(alice, "a")).id,
    })
    const { detail } = await read<{ detail: string }>(answer, 400)
    expect(detail).toBe('"picture" takes files of these types: image/*.')
  })

  test("keeps what it holds, whoever writes the record; another is the writer's own", async () => {
    const created = await exhibit(alice, { picture: picture.id, open: true })
    const whole = { title: "Old vase", picture: picture.id, open: true, maker: alice.id }
    await read(call(editor, "PUT", `/records/exhibits/${created.id}`, whole), 200)
    const mine = await png(editor)
    await read(patch(editor, created.id, { picture: mine.id }), 200)
    expect(await refused(patch(editor, created.id, { picture: picture.id }), 400)).toBe(
      "invalid_input",
    )
    // What the record once held comes back with what it once was.
    const path = `/records/exhibits/${created.id}/restorations`
    const back = await read<Exhibit>(call(editor, "POST", path, { version: created.version }), 200)
    expect(back.picture).toBe(picture.id)
  })
})

describe("a record lets go of a file", () => {
  test("when the field changes, and takes it back", async () => {
    const [first, second] = [await png(alice), await png(alice)]
    const { id } = await exhibit(alice, { picture: first.id })
    expect(await releasedAt(first.id)).toBe(null)
    await read(patch(alice, id, { title: "Renamed" }), 200)
    expect(await releasedAt(first.id)).toBe(null)
    await read(patch(alice, id, { picture: second.id }), 200)
    expect(await releasedAt(first.id)).toMatch(/^2\d{3}-.*Z$/)
    expect(await releasedAt(second.id)).toBe(null)
    await read(patch(alice, id, { picture: first.id }), 200)
    expect(await releasedAt(first.id)).toBe(null)
    await read(call(alice, "PUT", `/records/exhibits/${id}`, { title: "Empty" }), 200)
    expect([await releasedAt(first.id), await releasedAt(second.id)]).not.toContain(null)
  })

  test("of a list that is taken off it, and of no other", async () => {
    const [a, b, c] = [await upload(alice, "a"), await upload(alice, "b"), await upload(alice, "c")]
    const { id } = await exhibit(alice, { leaflets: [a.id, b.id] })
    await read(patch(alice, id, { leaflets: [c.id, b.id] }), 200)
    expect(await releasedAt(a.id)).not.toBe(null)
    expect([await releasedAt(b.id), await releasedAt(c.id)]).toEqual([null, null])
  })

  test("only when no other record holds it, nor the same in another field", async () => {
    const file = await png(alice)
    const one = await exhibit(alice, { picture: file.id, contract: file.id })
    const two = await exhibit(alice, { picture: file.id })
    await read(patch(alice, one.id, { picture: null }), 200)
    await read(call(alice, "DELETE", `/records/exhibits/${two.id}`), 204)
    expect(await releasedAt(file.id)).toBe(null)
    await read(patch(alice, one.id, { contract: null }), 200)
    expect(await releasedAt(file.id)).not.toBe(null)
  })

  test("when it is deleted, with all that goes along, and takes it back with them", async () => {
    const [file, leaflet, sheet] = [await png(alice), await upload(alice, "l"), await png(alice)]
    const { id } = await exhibit(alice, { picture: file.id, leaflets: [leaflet.id] })
    await read(call(alice, "POST", "/records/posters", { sheet: sheet.id, exhibit: id }), 201)
    const held = async () =>
      (await Promise.all([file, leaflet, sheet].map((one) => releasedAt(one.id)))).map(
        (at) => at === null,
      )
    expect(await held()).toEqual([true, true, true])
    await read(call(alice, "DELETE", `/records/exhibits/${id}`), 204)
    expect(await held()).toEqual([false, false, false])
    const restoration = { version: 1, together: true }
    await read(call(alice, "POST", `/records/exhibits/${id}/restorations`, restoration), 200)
    expect(await held()).toEqual([true, true, true])
  })

  test("not by what is refused, nor by what is only judged", async () => {
    const file = await png(alice)
    const { id } = await exhibit(alice, { picture: file.id })
    const half = [
      { method: "PATCH", path: `/records/exhibits/${id}`, body: { picture: null } },
      { method: "PATCH", path: `/records/exhibits/${id}`, body: { title: null } },
    ]
    await read(call(alice, "POST", "/batch", { operations: half }), 400)
    expect(await releasedAt(file.id)).toBe(null)
  })
})

describe("a file that nobody holds", () => {
  const day = 86_400_000
  const isThere = async (id: string) =>
    (await query("SELECT 1 FROM files WHERE id = ? AND state = 'stored'", id)).length === 1

  test("is kept for as long as a record may want it back, then it is gone, and never from under one", async () => {
    const [free, held, alone] = [await png(alice), await png(alice), await png(alice)]
    const { id } = await exhibit(alice, { picture: free.id, contract: held.id })
    await read(patch(alice, id, { picture: null }), 200)
    await query("UPDATE files SET releasedAt = '2020-01-01T00:00:00.000Z' WHERE id = ?", held.id)
    await sweepAt(Date.now() + 29 * day)
    expect(await isThere(free.id)).toBe(true)
    await sweepAt(Date.now() + 31 * day)
    expect(await Promise.all([free, held, alone].map((one) => isThere(one.id)))).toEqual([
      false,
      true,
      true,
    ])
    expect(await kept()).not.toContain(free.id)
    expect(await refused(patch(alice, id, { picture: free.id }), 400)).toBe("invalid_input")
  })

  test("does not come back with what a record was, and the rest does", async () => {
    const [lost, left, gone] = [
      await png(alice),
      await upload(alice, "a"),
      await upload(alice, "b"),
    ]
    const { id } = await exhibit(alice, { picture: lost.id, leaflets: [gone.id, left.id] })
    const restorations = `/records/exhibits/${id}/restorations`
    await read(patch(alice, id, { picture: null, leaflets: [left.id] }), 200)
    await sweepAt(Date.now() + 31 * day)
    const before = await read<Exhibit>(call(alice, "POST", restorations, { version: 1 }), 200)
    expect([before.picture, before.leaflets]).toEqual([null, [left.id]])
    await read(call(alice, "DELETE", `/records/exhibits/${id}`), 204)
    await sweepAt(Date.now() + 31 * day)
    const back = await read<Exhibit>(call(alice, "POST", restorations, { version: 1 }), 200)
    expect([back.title, back.picture, back.leaflets]).toEqual(["Vase", null, []])
  })

  test("stays with its record when the account of who sent it is gone", async () => {
    const leaver = await signedIn("leaver")
    const [held, own] = [await png(leaver), await png(leaver)]
    await exhibit(leaver, { picture: held.id })
    await query("UPDATE users SET email = 'deleted:' || id WHERE id = ?", leaver.id)
    await sweepAt(Date.now())
    expect([await isThere(held.id), await isThere(own.id)]).toEqual([true, false])
  })

  describe("and that was sent for a field", () => {
    const text = (as: Person, field: string, headers = {}) =>
      send(as, "a", headers, `?for=${field}`)

    test("is deleted after a day, unless a record has it by then", async () => {
      const [given, late, kept] = await Promise.all(
        [1, 2, 3].map(() => upload(alice, "a", {}, "?for=exhibits.leaflets")),
      )
      const { id } = await exhibit(alice, { leaflets: [given?.id, kept?.id] })
      await read(patch(alice, id, { leaflets: [kept?.id] }), 200)
      await sweepAt(Date.now() + day - 60_000)
      expect(await isThere(late?.id ?? "")).toBe(true)
      await sweepAt(Date.now() + day + 60_000)
      const there = [given, late, kept].map((one) => isThere(one?.id ?? ""))
      expect(await Promise.all(there)).toEqual([true, false, true])
    })

    test.each([
      ["exhibits.picture", { "content-type": "text/plain" }, 415, "unsupported_media_type"],
      ["exhibits.picture", { "content-type": "image/png" }, 415, "unsupported_media_type"],
      ["exhibits.picture", { "content-length": "201" }, 413, "payload_too_large"],
      ["exhibits.title", {}, 400, "invalid_input"],
      ["exhibits.nothing", {}, 400, "invalid_input"],
      ["exhibits.picture.type", {}, 400, "invalid_input"],
      ["exhibits", {}, 400, "invalid_input"],
      ["nothing.picture", {}, 400, "invalid_input"],
      ["files.name", {}, 400, "invalid_input"],
      ["members.name", {}, 400, "invalid_input"],
    ])("%s with %j is told %i, and nothing is kept", async (field, headers, status, code) => {
      const before = await kept()
      expect(await refused(text(alice, field, headers), status)).toBe(code)
      expect(await kept()).toEqual(before)
    })

    test("is told of what was declared before a byte of it is read", async () => {
      const body = new ReadableStream(
        {
          pull: () => {
            throw new Error("read")
          },
        },
        { highWaterMark: 0 },
      )
      const said = { "content-type": "application/pdf", "content-length": "100" }
      const answer = send(alice, body, said, "?for=exhibits.picture")
      expect(await refused(answer, 415)).toBe("unsupported_media_type")
    })

    test("says so in a form too", async () => {
      const part = (about: string, content: string) =>
        `--b\r\nContent-Disposition: form-data; ${about}\r\n\r\n${content}\r\n`
      const form = `${part('name="for"', "exhibits.picture")}${part('name="file"; filename="a.txt"', "a")}--b--\r\n`
      const type = { "content-type": "multipart/form-data; boundary=b" }
      expect(await refused(send(alice, form, type), 415)).toBe("unsupported_media_type")
    })
  })
})
