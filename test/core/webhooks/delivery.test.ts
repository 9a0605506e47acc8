import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create, patch, query, read } from "../records/cast.ts"
import {
  content,
  deliveries,
  delivery,
  endpoint,
  eventOf,
  partner,
  received,
  settled,
  settledPump,
  verified,
} from "./cast.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
})
beforeEach(content)

describe("an endpoint", () => {
  test("is told of what is written from then on, signed, in order, and the log tells of it", async () => {
    await create(alice, "parcels", { label: "before" })
    const made = await endpoint(alice, {
      events: ["parcels.created", "parcels.updated", "parcels.deleted"],
      headers: { Authorization: "Bearer x" },
    })
    expect(made.secret).toMatch(/^whsec_/)
    const parcel = await create(alice, "parcels", { label: "a" })
    await patch(alice, "parcels", parcel.id, { label: "b" })
    await read(call(alice, "DELETE", `/records/parcels/${parcel.id}`), 204)
    await create(alice, "tags", { name: "of no interest" })
    const requests = await received(1)
    await settled()
    const events = requests.map((request) => verified(made.secret, request))
    // Of a record that is gone, its deletion alone is told.
    expect(events.at(-1)).toMatchObject({
      type: "parcels.deleted",
      data: {
        collection: "parcels",
        id: parcel.id,
        version: 3,
        record: null,
        actor: { id: alice.id },
      },
    })
    expect(requests[0]?.url).toBe(partner)
    expect(requests[0]?.headers).toMatchObject({
      authorization: "Bearer x",
      "content-type": "application/json",
    })
    const { items } = await deliveries(alice, made.id)
    expect(items[0]).toMatchObject({ state: "succeeded", type: "parcels.deleted", nextAt: null })
    const details = await delivery(alice, made.id, items[0]?.id as string)
    expect(details).toMatchObject({
      messageId: requests.at(-1)?.headers["webhook-id"],
      body: requests.at(-1)?.body,
      log: [{ status: 200, body: "thanks", error: null }],
    })
  })

  test("is told of every write from its first on, though nobody followed the log before", async () => {
    await query("DELETE FROM change_followers")
    for (const name of ["seen by", "nobody"]) await create(alice, "tags", { name })
    await settledPump()
    await create(alice, "tags", { name: "still" })
    await settledPump()
    await endpoint(alice, { events: ["tags.created"] })
    for (const [n, name] of ["one", "two", "three"].entries()) {
      await create(alice, "tags", { name })
      const requests = await received(n + 1)
      expect(eventOf(requests[n] as never).data.record?.name).toBe(name)
    }
  })

  test("shows its secret and the values of its headers once", async () => {
    const made = await endpoint(alice, {
      events: ["parcels.created"],
      headers: { "X-Key": "sesame" },
    })
    for (const path of [`/${made.id}`, ""]) {
      const text = await (await call(alice, "GET", `/webhooks/endpoints${path}`)).text()
      expect(text).not.toContain(made.secret)
      expect(text).not.toContain("sesame")
      expect(text).toContain("X-Key")
    }
    expect(receivers.received).toEqual([])
  })
})
