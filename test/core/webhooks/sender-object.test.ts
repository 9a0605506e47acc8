import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create } from "../records/cast.ts"
import { content, endpoint, settledPump } from "./cast.ts"
import { stored } from "./clock.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  content()
})
afterAll(() => {
  receivers.still = false
})

test("an endpoint whose secret does not open is looked at more and more seldom, and sent to once it does", async () => {
  receivers.still = true
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const [kept] = await stored("SELECT secret FROM webhook_endpoints WHERE id = ?", id)
  const setSecret = (secret: unknown) =>
    stored("UPDATE webhook_endpoints SET secret = ? WHERE id = ?", secret, id)
  // As if SECRET had been changed.
  await setSecret("v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
  await create(alice, "tags", { name: "t" })
  await settledPump()
  const object = env.WEBHOOK_SENDER.get(env.WEBHOOK_SENDER.idFromName(`main ${id}`))
  await object.poke("main", id)
  // The alarm of that call comes, and does nothing.
  await new Promise((resolve) => setTimeout(resolve, 100))
  receivers.still = false
  const look = async () => {
    await runInDurableObject(object, (_, { storage }) => storage.setAlarm(Date.now() + 600_000))
    await runDurableObjectAlarm(object)
    return runInDurableObject(object, async (_, { storage }) => ({
      stops: await storage.get("stops"),
      alarm: await storage.getAlarm(),
    }))
  }
  const began = Date.now()
  for (let stops = 1; stops <= 12; stops++) {
    const { stops: counted, alarm } = await look()
    expect(counted).toBe(stops)
    const waits = Math.min(10_000 * 2 ** (stops - 1), 3_600_000)
    expect(alarm).toBeGreaterThanOrEqual(began + waits)
  }
  expect(receivers.received).toEqual([])
  await setSecret(kept?.secret)
  expect((await look()).stops).toBeUndefined()
  expect(receivers.received).toHaveLength(1)
})
