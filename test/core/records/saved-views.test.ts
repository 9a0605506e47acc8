import { beforeAll, expect, test } from "vitest"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, nowhere, type Page, patch, read, refused } from "./cast.ts"

let alice: Person
let bob: Person
let shared: string
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  for (const [title, status, words] of [
    ["One", "published", 3],
    ["Two", "published", 4],
    ["Three", "draft", 5],
  ]) {
    await create(alice, "articles", { title, status, words })
  }
  const input = { name: "Long ones", ...question, shared: true }
  shared = (await create(alice, "searches", input)).id
})

const question = {
  collection: "articles",
  filter: "words >= 3",
  sort: "-words",
  fields: "id,title,author.name",
  expand: "author",
}
const ask = (as: Person | null, id: string, query = "") =>
  call(as, "GET", `/records/searches/${id}/records${query}`)

test("a saved view finds what whoever asks may see", async () => {
  const titles = async (as: Person) =>
    (await read<Page>(ask(as, shared), 200)).items.map(({ title }) => title)
  expect(await titles(alice)).toEqual(["Three", "Two", "One"])
  expect(await titles(bob)).toEqual(["Two", "One"])
  await refused(ask(null, shared), 401)
})

test("it is paged and counted like a list, in two trips", async () => {
  const answer = await ask(bob, shared, "?limit=1&count=exact")
  expect(costOf(answer).trips).toBe(2)
  const { items, next, count } = await read<Page>(answer, 200)
  expect([items.map(({ title }) => title), count]).toEqual([["Two"], 2])
  const rest = await read<Page>(ask(bob, shared, `?limit=1&cursor=${next}`), 200)
  expect([rest.items.map(({ title }) => title), rest.next]).toEqual([["One"], null])
  await refused(ask(bob, shared, "?filter=true"), 400)
})

test("one's own view is nobody else's, and a shared one is changed by its owner alone", async () => {
  const own = await create(alice, "searches", { name: "Mine", ...question })
  expect((await ask(alice, own.id)).status).toBe(200)
  const hidden = await refused(ask(bob, own.id), 404)
  expect(hidden.detail).toBe((await refused(ask(bob, nowhere), 404)).detail)
  await refused(call(bob, "PATCH", `/records/searches/${own.id}`, { shared: true }), 404)
  await refused(call(bob, "PATCH", `/records/searches/${shared}`, { name: "x" }), 403)
  await refused(call(alice, "PATCH", `/records/searches/${own.id}`, { owner: bob.id }), 403)
})

test.each<[Json, string]>([
  [{ collection: "nothing" }, "collection"],
  [{ collection: "vaults" }, "collection"],
  [{ filter: "nonsense = 1" }, "filter"],
  [{ filter: 'secret = "x"' }, "filter"],
  [{ sort: "tags" }, "sort"],
  [{ fields: "nonsense" }, "fields"],
  [
    { collection: "projects", filter: null, sort: null, fields: null, expand: null, words: "x" },
    "words",
  ],
])("what could not be asked is not saved: %j", async (change, path) => {
  const input = { name: "x", ...question, ...change }
  const problem = await refused(call(alice, "POST", "/records/searches", input), 400)
  expect(problem.code).toBe("invalid_input")
  expect(problem.errors?.[0]?.path).toBe(path)
})

test("a view that names what its reader does not know is refused to them, and found by others", async () => {
  const editor = await signedIn("editor", ["editor"])
  const input = { name: "Secrets", collection: "articles", filter: "secret != null", shared: true }
  const { id } = await create(editor, "searches", input)
  expect((await ask(editor, id)).status).toBe(200)
  expect((await refused(ask(bob, id), 400)).code).toBe("invalid_expression")
})

test("a change is checked with its collection, or when it is asked", async () => {
  const { id } = await create(alice, "searches", { name: "x", ...question })
  const wrong = { collection: "articles", filter: "nonsense = 1" }
  await refused(call(alice, "PATCH", `/records/searches/${id}`, wrong), 400)
  await patch(alice, "searches", id, { filter: "nonsense = 1" })
  await refused(ask(alice, id), 400)
})

test("other collections have nothing to ask", async () => {
  await refused(call(alice, "GET", `/records/articles/${nowhere}/records`), 404)
  await refused(call(alice, "POST", `/records/searches/${shared}/records`, {}), 405)
})
