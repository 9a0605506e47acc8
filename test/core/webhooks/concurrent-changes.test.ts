import { beforeAll, beforeEach, expect, test } from "vitest"
import { findStandingActor } from "../../../src/core/identity/standing-actor.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { changeEndpoint } from "../../../src/core/webhooks/endpoints.ts"
import type { App, UserActor } from "../../../src/platform/app.ts"
import { fixtures } from "../../support/collections.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { type Json, read } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"
import { content, endpoint } from "./cast.ts"
import { stored } from "./clock.ts"

const collections = linkCollections(fixtures)
let alice: Person
let actor: UserActor
beforeAll(async () => {
  alice = await signedIn("alice")
  const standing = { user: alice.id, organisation: null, key: null }
  actor = (await findStandingActor(toolApp(), standing)) as UserActor
})
beforeEach(content)

const patched = (id: string, patch: Json) =>
  read<Json>(call(alice, "PATCH", `/webhooks/endpoints/${id}`, patch), 200)

/** An app after whose trips somebody else is quicker, so many times. */
function overtaken(by: () => Promise<unknown>, times = 1): App {
  const app = toolApp()
  const { db } = app
  let trips = 0
  return {
    ...app,
    db: {
      ...db,
      async batch(statements) {
        const rows = await db.batch(statements)
        if (trips++ < times) await by()
        return rows
      },
    },
  }
}

test("of two changes at the same time neither undoes what the other says", async () => {
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const url = "https://elsewhere.partner.com/in"
  const app = overtaken(() =>
    patched(id, { url, events: ["tags.deleted"], ratePerSecond: 7, enabled: false }),
  )
  expect(await changeEndpoint(app, actor, collections, id, { description: "mine" })).toMatchObject({
    description: "mine",
    url,
    events: ["tags.deleted"],
    ratePerSecond: 7,
    enabled: false,
    disabledReason: "request",
  })
  expect(
    await stored("SELECT subject, kind FROM webhook_subscriptions WHERE endpoint = ?", id),
  ).toEqual([{ subject: "tags", kind: "deleted" }])
})

test("a condition is judged by the events that it will stand beside", async () => {
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const app = overtaken(() => patched(id, { events: ["articles.created"] }))
  const filter = 'name = "a"'
  await expect(changeEndpoint(app, actor, collections, id, { filter })).rejects.toMatchObject({
    code: "invalid_expression",
  })
  expect(await stored("SELECT filter FROM webhook_endpoints WHERE id = ?", id)).toEqual([
    { filter: null },
  ])
})

test("what others change without end is a conflict in the end", async () => {
  const { id } = await endpoint(alice, { events: ["tags.created"] })
  const kinds = [["tags.deleted"], ["tags.updated"]]
  let turn = 0
  const app = overtaken(() => patched(id, { events: kinds[turn++ % 2] as string[] }), 5)
  const change = changeEndpoint(app, actor, collections, id, { fields: ["name"] })
  await expect(change).rejects.toMatchObject({ code: "conflict" })
})
