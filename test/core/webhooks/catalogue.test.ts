import { beforeAll, beforeEach, expect, test } from "vitest"
import * as z from "zod"
import { call, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, read } from "../records/cast.ts"
import { content, endpoint, eventOf, received } from "./cast.ts"

interface EventType {
  type: string
  version: number
  schema: Json
  example: { type: string; data: { record: Json | null } }
}
interface Document {
  webhooks: Record<string, { post: { requestBody: { content: Json } } }>
}

let alice: Person
let ed: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  ed = await signedIn("ed", ["editor"])
})
beforeEach(content)

const catalogue = async (as: Person | null) => {
  const answer = call(as, "GET", "/webhooks/events")
  const { items } = await read<{ items: EventType[] }>(answer, 200)
  return new Map(items.map((item) => [item.type, item]))
}

test("the catalogue has a schema and an example of each type, which agree with each other and with what is sent", async () => {
  const types = await catalogue(alice)
  expect([...types.keys()]).toEqual(
    expect.arrayContaining(["articles.created", "articles.updated", "articles.deleted"]),
  )
  for (const [type, { schema, example, version }] of types) {
    expect(JSON.stringify(schema)).not.toContain("$ref")
    expect([version, example.type]).toEqual([1, type])
    expect(() => z.fromJSONSchema(schema as never).parse(example), type).not.toThrow()
  }
  await endpoint(alice, { events: ["articles.created"] })
  await create(alice, "articles", { title: "shown", status: "draft", words: 3, day: "2026-11-28" })
  const [request] = await received(1)
  const { schema } = types.get("articles.created") as EventType
  const event = eventOf(request as never)
  expect(() => z.fromJSONSchema(schema as never).parse(event)).not.toThrow()
  expect(() => z.fromJSONSchema(schema as never).parse({ ...event, type: "b" })).toThrow()
})

test("it tells nobody of fields and collections that they may not know of; OpenAPI has the same types", async () => {
  const [hers, his] = [await catalogue(alice), await catalogue(ed)]
  expect(JSON.stringify(hers.get("articles.created"))).not.toContain('"secret"')
  expect(JSON.stringify(his.get("articles.created"))).toContain('"secret"')
  expect([...hers.keys()].filter((type) => /vaults|members|writers/.test(type))).toEqual([])
  const document = await read<Document>(call(alice, "GET", "/openapi.json"), 200)
  expect(Object.keys(document.webhooks)).toEqual([...hers.keys()])
})
