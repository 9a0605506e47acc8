import { afterAll, beforeAll, expect, test } from "vitest"
import { type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create } from "../records/cast.ts"
import { content, endpoint, eventOf, settledPump } from "./cast.ts"
import { senderOf, stored } from "./clock.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  content()
  receivers.still = true
})
afterAll(() => {
  receivers.still = false
})

const hour = 3_600_000

test("an endpoint whose secret does not open is looked at more and more seldom, and sent to once it does", async () => {
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const [kept] = await stored("SELECT secret FROM webhook_endpoints WHERE id = ?", id)
  const setSecret = (secret: unknown) =>
    stored("UPDATE webhook_endpoints SET secret = ? WHERE id = ?", secret, id)
  // As if SECRET had been changed.
  await setSecret("v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
  await create(alice, "tags", { name: "t" })
  await settledPump()
  const sender = senderOf(id)
  for (let stops = 1; stops <= 12; stops++) {
    await expect(sender.look()).rejects.toMatchObject({ code: "misconfigured" })
    const rests = Math.min(10_000 * 2 ** (stops - 1), hour)
    sender.clock += rests - 1_000
    expect(await sender.look()).toBe(sender.clock + 1_000)
    sender.clock += 1_000
  }
  expect(receivers.received).toEqual([])
  await setSecret(kept?.secret)
  sender.clock += hour
  expect(await sender.look()).toBeNull()
  expect(receivers.received).toHaveLength(1)
  expect(sender.memory.stops.size).toBe(0)
})

test("a line that cannot even be asked about holds up its own endpoint alone", async () => {
  const { id } = await endpoint(alice, { events: ["articles.created"] })
  const other = await endpoint(alice, { events: ["tags.created"] })
  await create(alice, "articles", { title: "torn", status: "draft" })
  await create(alice, "tags", { name: "whole" })
  await settledPump()
  await stored(
    "UPDATE changes SET payload = '{' WHERE seq = (SELECT max(seq) FROM changes WHERE subject = 'articles')",
  )
  content()
  const sender = senderOf(id)
  sender.sees.push(other.id)
  await expect(sender.look()).rejects.toThrow(/malformed JSON/)
  expect(receivers.received.map((request) => eventOf(request).type)).toEqual(["tags.created"])
})
