import { expect, test } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { json, query, refusal } from "./cast.ts"

/* Against the whole worker: what somebody has made, only the collections know. */

const make = (as: Person, collection: string, body: object) =>
  json<{ id: string; version: number }>(call(as, "POST", `/records/${collection}`, body), 201)

interface Part {
  deleted: number
  kept: number
  next: string | null
}

async function deleteAll(as: Person): Promise<Omit<Part, "next"> & { parts: number }> {
  const all = { deleted: 0, kept: 0, parts: 0 }
  for (let cursor: string | null = ""; cursor !== null; ) {
    const from = cursor && `?cursor=${encodeURIComponent(cursor)}`
    const part: Part = await json<Part>(call(as, "DELETE", `/auth/me/records${from}`), 200)
    all.deleted += part.deleted
    all.kept += part.kept
    all.parts++
    cursor = part.next
  }
  return all
}

test("whoever asks for it is rid of all that they have made, over all collections, with its lines in the log", async () => {
  const ann = await signedIn("rid-ann")
  const bob = await signedIn("rid-bob")
  const others = await make(bob, "diaries", { entry: "Bob's" })
  const project = await make(ann, "projects", { name: "Hers" })
  const article = await make(ann, "articles", { title: "Hers", project: project.id })
  await make(ann, "comments", { article: article.id, text: "Hers" })
  for (let i = 0; i < 60; i++) await make(ann, "diaries", { entry: `Day ${i}` })
  const order = await make(ann, "orders", { quantity: 2 })
  await json(call(ann, "PATCH", `/records/orders/${order.id}`, { state: "paid" }), 200)

  // An article that a comment points at, and the project that it points at in turn, are kept the first time.
  const first = await deleteAll(ann)
  expect(first).toMatchObject({ deleted: 61, kept: 3 })
  expect(first.parts).toBeGreaterThan(2)
  expect(await deleteAll(ann)).toMatchObject({ deleted: 2, kept: 1 })
  // A paid order stays, says its hook.
  expect(await deleteAll(ann)).toMatchObject({ deleted: 0, kept: 1 })
  const left = await query(
    sql`SELECT 'diaries' AS name, count(*) AS n FROM diaries WHERE createdBy = ${ann.id} UNION ALL SELECT 'articles', count(*) FROM articles WHERE createdBy = ${ann.id} UNION ALL SELECT 'orders', count(*) FROM orders WHERE createdBy = ${ann.id}`,
  )
  expect(left).toEqual([
    { name: "diaries", n: 0 },
    { name: "articles", n: 0 },
    { name: "orders", n: 1 },
  ])
  const lines = await query(
    sql`SELECT count(*) AS n FROM changes WHERE kind = 'deleted' AND actor = ${ann.id} AND authority = 'rule'`,
  )
  expect(lines).toEqual([{ n: 63 }])
  expect((await call(bob, "GET", `/records/diaries/${others.id}`)).status).toBe(200)
})

test("it asks for a proof that is not old, and is nothing for programs, strangers and impersonators", async () => {
  expect(await refusal(call(null, "DELETE", "/auth/me/records"), 401)).toBe("unauthenticated")
  const ann = await signedIn("old-ann")
  const root = await signedIn("old-root", ["administrator"])
  const acting = await json<{ accessToken: string }>(
    call(root, "POST", `/auth/users/${ann.id}/impersonations`, { reason: "Support" }),
    201,
  )
  const impersonator = { ...ann, token: acting.accessToken }
  expect(await refusal(call(impersonator, "DELETE", "/auth/me/records"), 403)).toBe("forbidden")
  const { key } = await json<{ key: string }>(
    call(ann, "POST", "/auth/api-keys", { name: "Key", scopes: ["*:*"] }),
    201,
  )
  const program = { ...ann, token: key }
  expect(await refusal(call(program, "DELETE", "/auth/me/records"), 403)).toBe("forbidden")
  const again = await json<{ refreshToken: string }>(
    call(null, "POST", "/auth/sessions", {
      email: ann.email,
      password: "correct horse battery staple",
    }),
    201,
  )
  await query(
    sql`UPDATE sessions SET authenticatedAt = '2020-01-01T00:00:00.000Z' WHERE user = ${ann.id}`,
  )
  const { refreshToken } = again
  const { accessToken: token } = await json<{ accessToken: string }>(
    call(null, "POST", "/auth/tokens", { refreshToken }),
    200,
  )
  expect(await refusal(call({ ...ann, token }, "DELETE", "/auth/me/records"), 401)).toBe(
    "step_up_required",
  )
})

test("a cursor that was not made here is told from one that was", async () => {
  const ann = await signedIn("cursor-ann")
  await make(ann, "diaries", { entry: "One" })
  const answer = call(ann, "DELETE", "/auth/me/records?cursor=diaries%2Fnonsense")
  expect(await refusal(answer, 400)).toBe("invalid_cursor")
})
