import { beforeAll, describe, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import {
  boolean,
  expression,
  integer,
  relation,
  relations,
  text,
} from "../../../src/core/records/fields.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { create, get, type Json, linesOf, patch, read, refused, type Stored } from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

let alice: Person
let bob: Person
let editor: Person
let administrator: Person
let workshop: Workshop

/** Rules about what changes, and fields with rights of their own. */
const tasks = collection("tasks", {
  fields: {
    title: text({ required: true }),
    owner: relation("members", { required: true, default: expression("@me.id") }),
    state: text({ default: "open" }),
    points: integer(),
    helpers: relations("members"),
    locked: boolean({ default: false }),
  },
  rules: {
    read: "@me.id != null",
    create: 'owner = @me.id && state = "open"',
    update: {
      before:
        "owner = @me.id && (locked = false || !@changed(title)) || !@changed(owner) && !@changed(points) && has(helpers, @me.id)",
      after:
        '!@changed(owner) && (!@changed(state) || state = "done" && @new.points > 0) && (points = null || points >= 0)',
    },
    delete: 'owner = @me.id && state = "done"',
  },
})
/** Anyone may write into it; what it hides, a write must not confirm. */
const exams = collection("exams", {
  fields: {
    pupil: relation("members", { required: true, default: expression("@me.id") }),
    title: text(),
    mark: integer({ readable: "pupil = @me.id", writable: 'has(@me.roles, "editor")' }),
    remark: text({ readable: "pupil = @me.id" }),
    marks: relations("members", { readable: "pupil = @me.id" }),
  },
  rules: { read: "true", create: "@me.id != null", update: "@me.id != null" },
})
/** The owner may change it to anything that stays their own; only the rule of the new row binds others. */
const gifts = collection("gifts", {
  fields: {
    owner: relation("members", { required: true }),
    big: boolean({ writable: 'has(@me.roles, "editor")' }),
  },
  rules: {
    read: "true",
    create: "@me.id != null",
    update: { before: "@me.id != null", after: "owner = @me.id" },
  },
})

beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
  administrator = await signedIn("root", ["administrator"])
  workshop = await openWorkshop([tasks, exams, gifts])
})

describe("an update rule holds before and after", () => {
  test.each<[string, string, () => Json]>([
    ["articles", "PATCH", () => ({ author: bob.id })],
    ["articles", "PUT", () => ({ title: "x", author: bob.id })],
    ["diaries", "PATCH", () => ({ owner: bob.id })],
    ["diaries", "PUT", () => ({ entry: "x", owner: bob.id })],
    ["comments", "PATCH", () => ({ author: bob.id })],
    ["projects", "PATCH", () => ({ owner: bob.id })],
    ["projects", "PUT", () => ({ name: "x", owner: bob.id })],
    ["orders", "PATCH", () => ({ buyer: bob.id })],
  ])("so nothing of %s is given away by %s", async (name, method, body) => {
    const article = await create(alice, "articles", { title: "x", status: "published" })
    const input = {
      articles: { title: "x" },
      diaries: { entry: "x" },
      comments: { article: article.id, text: "x" },
      projects: { name: "x" },
      orders: { quantity: 1 },
    }
    const { id } = await create(alice, name, input[name as keyof typeof input])
    await refused(call(alice, method, `/records/${name}/${id}`, body()), 403)
    expect((await get(alice, name, id)).version).toBe(1)
    expect(await linesOf(id)).toHaveLength(1)
  })

  test("nor taken: the rule that holds of the new row must have held of the old", async () => {
    const { id } = await create(alice, "articles", { title: "x", status: "published" })
    await refused(call(bob, "PATCH", `/records/articles/${id}`, { author: bob.id }), 403)
    await refused(call(bob, "PUT", `/records/articles/${id}`, { title: "x", author: bob.id }), 403)
  })

  test("an editor, whom the rule lets through either way, may hand an article on", async () => {
    const { id } = await create(alice, "articles", { title: "x", status: "published" })
    expect((await patch(editor, "articles", id, { author: bob.id })).author).toBe(bob.id)
  })
})

describe("@changed and @new", () => {
  const make = async (more: Json = {}): Promise<Stored> =>
    read(
      workshop.call(alice, "POST", "/records/tasks", {
        title: "t",
        points: 1,
        helpers: [bob.id],
        ...more,
      }),
      201,
    )

  test.each<[string, "alice" | "bob" | "editor", Json, () => Json, number]>([
    ["the owner renames", "alice", {}, () => ({ title: "u" }), 200],
    ["a helper renames", "bob", {}, () => ({ title: "u" }), 200],
    ["a stranger renames", "editor", {}, () => ({ title: "u" }), 403],
    [
      "the owner renames what is locked",
      "alice",
      { locked: true, helpers: [] },
      () => ({ title: "u" }),
      403,
    ],
    [
      "the owner sends the same title of what is locked",
      "alice",
      { locked: true, helpers: [] },
      () => ({ title: "t", points: 2 }),
      200,
    ],
    ["a helper changes points", "bob", {}, () => ({ points: 2 }), 403],
    ["a helper sends the same points", "bob", {}, () => ({ points: 1, title: "u" }), 200],
    ["the owner gives it away", "alice", {}, () => ({ owner: bob.id }), 403],
    ["a helper takes it", "bob", {}, () => ({ owner: bob.id }), 403],
    ["a helper leaves", "bob", {}, () => ({ helpers: [] }), 200],
    ["a stranger joins", "editor", {}, () => ({ helpers: [bob.id, editor.id] }), 403],
    ["the owner finishes", "alice", {}, () => ({ state: "done" }), 200],
    ["a helper finishes", "bob", {}, () => ({ state: "done" }), 200],
    [
      "the owner finishes what has no points",
      "alice",
      { points: null },
      () => ({ state: "done" }),
      403,
    ],
    [
      "the owner finishes and gives points",
      "alice",
      { points: null },
      () => ({ state: "done", points: 2 }),
      200,
    ],
    [
      "the owner finishes and takes the points",
      "alice",
      {},
      () => ({ state: "done", points: null }),
      403,
    ],
    ["the owner sets another state", "alice", {}, () => ({ state: "lost" }), 403],
    ["the owner sends the same state", "alice", {}, () => ({ state: "open" }), 200],
    ["the owner takes more points than there are", "alice", {}, () => ({ points: -1 }), 403],
    ["the owner takes the points away", "alice", {}, () => ({ points: null }), 200],
  ])("%s", async (_, who, start, body, status) => {
    const task = await make(start)
    const as = { alice, bob, editor }[who]
    const answer = await workshop.call(as, "PATCH", `/records/tasks/${task.id}`, body())
    expect(answer.status, await answer.text()).toBe(status)
  })

  test("a create rule sees the new record with its defaults", async () => {
    await make()
    const post = (body: Json) =>
      workshop.call(bob, "POST", "/records/tasks", { title: "t", ...body })
    expect((await post({})).status).toBe(201)
    expect((await post({ state: "done" })).status).toBe(403)
    expect((await post({ owner: alice.id })).status).toBe(403)
  })

  test("a delete rule sees the stored record", async () => {
    const task = await make()
    const path = `/records/tasks/${task.id}`
    expect((await workshop.call(alice, "DELETE", path)).status).toBe(403)
    await workshop.call(alice, "PATCH", path, { state: "done" })
    expect((await workshop.call(bob, "DELETE", path)).status).toBe(403)
    expect((await workshop.call(alice, "DELETE", path)).status).toBe(204)
  })
})

describe("fields with rules of their own", () => {
  test("a constant rule: who may not read the field does not know of it", async () => {
    const { id } = await create(alice, "articles", { title: "x", status: "published" })
    await patch(editor, "articles", id, { secret: "hush" })
    expect(await get(editor, "articles", id)).toHaveProperty("secret", "hush")
    for (const as of [null, alice, bob, administrator]) {
      expect(await get(as, "articles", id)).not.toHaveProperty("secret")
    }
    const answer = call(alice, "PATCH", `/records/articles/${id}`, { secret: "mine" })
    expect((await refused(answer, 400)).errors).toMatchObject([
      { path: "secret", code: "unknown_field" },
    ])
  })

  test("a rule about the row: the field is absent where it does not hold", async () => {
    const { id } = await create(alice, "articles", { title: "x", status: "published", note: "n" })
    expect(await get(alice, "articles", id)).toHaveProperty("note", "n")
    for (const as of [null, bob, editor, administrator]) {
      expect(await get(as, "articles", id)).not.toHaveProperty("note")
    }
  })

  test("a PUT leaves alone what its sender may not read or write", async () => {
    const { id } = await create(alice, "articles", { title: "x", status: "published", note: "n" })
    await patch(editor, "articles", id, { secret: "hush", featured: true })
    await read(
      call(alice, "PUT", `/records/articles/${id}`, { title: "y", status: "published" }),
      200,
    )
    expect(await get(editor, "articles", id)).toMatchObject({
      title: "y",
      secret: "hush",
      featured: true,
    })
    await read(
      call(editor, "PUT", `/records/articles/${id}`, { title: "z", status: "published" }),
      200,
    )
    expect(await get(alice, "articles", id)).toMatchObject({
      title: "z",
      note: "n",
      author: alice.id,
    })
  })

  test.each<[string, Json, number]>([
    ["is refused by name", { featured: true }, 403],
    ["left as it is breaks no rule", { featured: false, words: 1 }, 200],
    ["emptied is changed", { featured: null }, 403],
  ])("what one may not write, %s", async (_, body, status) => {
    const { id } = await create(alice, "articles", { title: "x" })
    const answer = await call(alice, "PATCH", `/records/articles/${id}`, body)
    const text = await answer.text()
    expect(answer.status, text).toBe(status)
    if (status === 403) expect(text).toContain("featured")
  })

  test("also in a create; a default is nobody's attempt", async () => {
    expect((await create(alice, "articles", { title: "x" })).featured).toBe(false)
    await refused(call(alice, "POST", "/records/articles", { title: "x", featured: true }), 403)
    await refused(
      call(alice, "PUT", `/records/articles/${crypto.randomUUID()}`, {
        title: "x",
        featured: true,
      }),
      403,
    )
    expect((await create(editor, "articles", { title: "x", featured: true })).featured).toBe(true)
  })

  describe("no write confirms a guess at what may not be read", () => {
    const exam = async (): Promise<Stored> => {
      const { id } = await read<Stored>(
        workshop.call(alice, "POST", "/records/exams", { remark: "good", marks: [alice.id] }),
        201,
      )
      await workshop.call(administrator, "PATCH", `/records/exams/${id}`, { mark: 5 })
      return read<Stored>(workshop.call(bob, "GET", `/records/exams/${id}`), 200)
    }
    test.each<[string, () => [Json, Json], number]>([
      ["a field that one may not write either", () => [{ mark: 5 }, { mark: 4 }], 403],
      ["a field that one may overwrite", () => [{ remark: "good" }, { remark: "bad" }], 200],
      ["a list that one may overwrite", () => [{ marks: [alice.id] }, { marks: [bob.id] }], 200],
    ])("%s", async (_, bodies, status) => {
      const answers = []
      for (const body of bodies()) {
        const { id } = await exam()
        const answer = await workshop.call(bob, "PATCH", `/records/exams/${id}`, body)
        const { version, code, detail } = (await answer.json()) as Json
        answers.push([answer.status, version, code, detail])
      }
      expect(answers[0]).toEqual(answers[1])
      expect(answers[0]?.[0]).toBe(status)
    })

    test("but who may read it is told that nothing changed", async () => {
      const { id } = await exam()
      const body = { remark: "good", marks: [alice.id] }
      expect(
        await read(workshop.call(alice, "PATCH", `/records/exams/${id}`, body), 200),
      ).toMatchObject({ version: 2 })
    })
  })
})

test("an administrator's pass over the rule of the new row, or of a field, is marked", async () => {
  const make = async () =>
    (
      await read<Stored>(
        workshop.call(administrator, "POST", "/records/gifts", { owner: administrator.id }),
        201,
      )
    ).id
  const authorities = async (id: string) => (await linesOf(id)).map(({ authority }) => authority)
  const given = await make()
  await workshop.call(administrator, "PATCH", `/records/gifts/${given}`, { owner: bob.id })
  expect(await authorities(given)).toEqual(["rule", "administrator"])
  const made = await read<Stored>(
    workshop.call(administrator, "POST", "/records/gifts", { owner: administrator.id, big: true }),
    201,
  )
  expect(await authorities(made.id)).toEqual(["administrator"])
})
