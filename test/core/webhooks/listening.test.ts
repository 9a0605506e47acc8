import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { collection } from "../../../src/core/records/collection.ts"
import { text } from "../../../src/core/records/fields.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, read } from "../records/cast.ts"
import { openWorkshop } from "../records/workshop.ts"
import {
  content,
  deliveries,
  type Endpoint,
  endpoint,
  eventOf,
  partner,
  settledPump,
} from "./cast.ts"
import { senderOf } from "./clock.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  receivers.still = true
})
afterAll(() => {
  receivers.still = false
})
beforeEach(content)

test("what is written while an endpoint begins to listen to it is told, though a look has begun before", async () => {
  const { id } = await endpoint(alice, { events: ["articles.created"] })
  await create(alice, "articles", { title: "first", status: "draft" })
  await settledPump()
  const sender = senderOf(id)
  sender.clock += 60_000
  const app = sender.app()
  let begun = false
  const meanwhile = async () => {
    const events = ["articles.created", "tags.created"]
    await read(call(alice, "PATCH", `/webhooks/endpoints/${id}`, { events }), 200)
    await create(alice, "tags", { name: "second" })
    await settledPump()
  }
  const db: typeof app.db = {
    ...app.db,
    async batch(statements) {
      if (!begun) {
        begun = true
        await meanwhile()
      }
      return app.db.batch(statements)
    },
  }
  await sender.look({ ...app, db })
  expect(receivers.received.map((request) => eventOf(request).type)).toEqual([
    "articles.created",
    "tags.created",
  ])
  expect((await deliveries(alice, id, "?state=succeeded")).items).toHaveLength(2)
})

test("an endpoint may listen to more collections than have room in one statement", async () => {
  const rule = Array.from({ length: 25 }, (_, i) => `title != "no${i}"`).join(" && ")
  const many = Array.from({ length: 30 }, (_, i) =>
    collection(`halls${i}`, {
      fields: { title: text({ required: true }), note: text({ readable: rule }) },
      rules: { read: rule, create: "true", update: "true", delete: "true" },
    }),
  )
  const workshop = await openWorkshop(many)
  const events = many.map(({ name }) => `${name}.created`)
  const { id } = await read<Endpoint>(
    workshop.call(alice, "POST", "/webhooks/endpoints", { url: partner, events }),
    201,
  )
  const titles = ["no3", "first", "last", "no4"]
  for (const [i, title] of titles.entries()) {
    const name = ["halls0", "halls0", "halls29", "halls29"][i]
    // What the rules hide from its maker is made all the same, and not shown.
    await workshop.call(alice, "POST", `/records/${name}`, { title, note: "n" })
  }
  await settledPump()
  const sender = senderOf(id, workshop.collections)
  expect(await sender.run()).toBeNull()
  expect(receivers.received.map((request) => eventOf(request).data.record)).toMatchObject([
    { title: "first", note: "n" },
    { title: "last", note: "n" },
  ])
})
