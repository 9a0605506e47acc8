import { expect, test } from "vitest"
import { call, costOf, signedIn } from "../../support/people.ts"

test("a record lives from create to delete", async () => {
  const alice = await signedIn("alice")
  const made = await call(alice, "POST", "/records/articles", {
    title: "Hello",
    status: "published",
    words: 3,
    meta: { a: 1 },
  })
  const record = (await made.json()) as Record<string, unknown>
  console.log(made.status, record, made.headers.get("etag"), costOf(made))
  expect(made.status).toBe(201)
  const got = await call(null, "GET", `/records/articles/${record.id}`)
  console.log(got.status, await got.json(), costOf(got))
  const list = await call(
    null,
    "GET",
    `/records/articles?filter=${encodeURIComponent('title ~ "hel" && words > 2')}&sort=-words&count=exact&expand=author`,
  )
  console.log(list.status, JSON.stringify(await list.json()), costOf(list))
  const found = await call(null, "GET", `/records/articles?search=hel`)
  console.log(found.status, JSON.stringify(await found.json()), costOf(found))
  const patched = await call(
    alice,
    "PATCH",
    `/records/articles/${record.id}`,
    { words: 5, meta: { b: 2 } },
    { "if-match": '"1"' },
  )
  console.log(patched.status, await patched.text(), costOf(patched))
  const same = await call(alice, "PATCH", `/records/articles/${record.id}`, { words: 5 })
  console.log(same.status, same.headers.get("etag"), costOf(same))
  const stale = await call(
    alice,
    "PATCH",
    `/records/articles/${record.id}`,
    { words: 6 },
    { "if-match": '"1"' },
  )
  console.log(stale.status, await stale.text())
  const put = await call(alice, "PUT", `/records/articles/${record.id}`, { title: "New" })
  console.log(put.status, await put.text())
  const gone = await call(alice, "DELETE", `/records/articles/${record.id}`)
  console.log(gone.status, await gone.text(), costOf(gone))
})
