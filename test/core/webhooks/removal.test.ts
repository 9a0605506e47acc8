import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { removeEndpoints } from "../../../src/core/webhooks/removal.ts"
import { sweepDisabled } from "../../../src/core/webhooks/sweep.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { organisationOf } from "../identity/api-key-cast.ts"
import { create, type Json, read, refused } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"
import { content, deliveries, endpoint, received, settled, settledPump } from "./cast.ts"
import { senderOf, stored } from "./clock.ts"

let alice: Person
let root: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  root = await signedIn("root", ["administrator"])
})
beforeEach(content)
afterEach(async () => {
  receivers.still = false
  await stored("UPDATE webhook_endpoints SET enabled = 0")
})

const day = 86_400_000
const at = (days: number) => new Date(Date.now() + days * day).toISOString()

/** All that the database holds of an endpoint. */
async function traces(id: string): Promise<Record<string, unknown>> {
  const [counts] = await stored(
    `SELECT (SELECT count(*) FROM webhook_endpoints WHERE id = ?1) AS endpoints,
(SELECT count(*) FROM webhook_subscriptions WHERE endpoint = ?1) AS subscriptions,
(SELECT count(*) FROM webhook_deliveries WHERE endpoint = ?1) AS deliveries,
(SELECT count(*) FROM webhook_attempts WHERE delivery IN (SELECT id FROM webhook_deliveries WHERE endpoint = ?1)) AS attempts`,
    id,
  )
  return counts as Record<string, unknown>
}
const none = { endpoints: 0, subscriptions: 0, deliveries: 0, attempts: 0 }

/** So many more deliveries, with an attempt each. */
async function pile(id: string, count: number, state = "waiting"): Promise<void> {
  await stored(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, body, createdAt)
SELECT ? || ' ' || i, ?, NULL, 'x', 'webhooks.test', ?, 1, ?, 'told', ? FROM n`,
    count,
    id,
    id,
    state,
    at(1),
    at(0),
  )
  await stored(
    "INSERT INTO webhook_attempts (delivery, at, milliseconds, body) SELECT id, createdAt, 1, 'echo' FROM webhook_deliveries WHERE endpoint = ? AND change = 'x'",
    id,
  )
}

describe("an endpoint that is deleted", () => {
  const secretive = {
    events: ["tags.created"],
    url: "https://hidden.partner.com/token",
    description: "for the secret partner",
    filter: 'name != "x"',
    fields: ["name"],
    headers: { "x-key": "k" },
  }

  test("says nothing at once, is seen by nobody, and goes with what was sent by the thousand", async () => {
    receivers.still = true
    const { id, secret } = await endpoint(alice, secretive)
    await pile(id, 2_500)
    const path = `/webhooks/endpoints/${id}`
    const answer = await call(alice, "DELETE", path)
    expect(answer.status).toBe(204)
    expect(costOf(answer).trips).toBe(2)
    expect(await traces(id)).toEqual({
      endpoints: 1,
      subscriptions: 0,
      deliveries: 2_500,
      attempts: 2_500,
    })
    const [row] = await stored("SELECT * FROM webhook_endpoints WHERE id = ?", id)
    expect(row).toMatchObject({ enabled: 0, url: "", headers: null, secret: "" })
    for (const word of ["partner", "x-key", "name", secret]) {
      expect(JSON.stringify(row)).not.toContain(`"${word}`)
    }
    for (const as of [alice, root]) {
      await refused(call(as, "GET", path), 404)
      await refused(call(as, "PATCH", path, { enabled: false }), 404)
      await refused(call(as, "DELETE", path), 404)
      await refused(call(as, "GET", `${path}/deliveries`), 404)
      await refused(call(as, "GET", `${path}/deliveries/${id}`), 404)
      await refused(call(as, "POST", `${path}/tests`), 404)
      await refused(call(as, "POST", `${path}/secrets`, {}), 404)
      const { items } = await read<{ items: { id: string }[] }>(
        call(as, "GET", "/webhooks/endpoints?limit=200"),
        200,
      )
      expect(items.map((item) => item.id)).not.toContain(id)
    }
    const app = toolApp()
    await removeEndpoints(app)
    expect(await traces(id)).toEqual(none)
  })

  test("to which nothing was sent is gone at once", async () => {
    const { id } = await endpoint(alice, secretive)
    await read(call(alice, "DELETE", `/webhooks/endpoints/${id}`), 204)
    expect(await traces(id)).toEqual(none)
  })

  test("gives its place free, although its deliveries are still there", async () => {
    receivers.still = true
    const [{ own } = {}] = await stored(
      "SELECT count(*) AS own FROM webhook_endpoints WHERE owner = ? AND deletedAt IS NULL",
      alice.id,
    )
    const { id } = await endpoint(alice, { events: ["tags.created"] })
    await pile(id, 1)
    await stored(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO webhook_endpoints (id, owner, url, events, headerNames, scheme, secret, ratePerSecond, enabled, since, failures, createdAt, updatedAt)
SELECT 'copy ' || i, owner, url, events, headerNames, scheme, secret, ratePerSecond, 0, since, 0, createdAt, updatedAt FROM webhook_endpoints, n WHERE id = ?`,
      99 - (own as number),
      id,
    )
    const make = () =>
      call(alice, "POST", "/webhooks/endpoints", {
        url: "https://hooks.partner.com/in",
        events: ["tags.created"],
      })
    await refused(make(), 409)
    await read(call(alice, "DELETE", `/webhooks/endpoints/${id}`), 204)
    await read(make(), 201)
    await stored("DELETE FROM webhook_endpoints WHERE id LIKE 'copy %'")
  })

  test("does not come back by a change that was on its way", async () => {
    receivers.still = true
    const { id } = await endpoint(alice, { events: ["tags.created"] })
    await pile(id, 1)
    await read(call(alice, "DELETE", `/webhooks/endpoints/${id}`), 204)
    const answers = await Promise.all([
      call(alice, "PATCH", `/webhooks/endpoints/${id}`, { enabled: true, url: "https://a.com/" }),
      call(alice, "POST", `/webhooks/endpoints/${id}/secrets`, {}),
    ])
    expect(answers.map(({ status }) => status)).toEqual([404, 404])
    expect(
      await stored("SELECT enabled, url, secret FROM webhook_endpoints WHERE id = ?", id),
    ).toEqual([{ enabled: 0, url: "", secret: "" }])
  })
})

describe("whose owner is not there any more, an endpoint goes, and nobody else's:", () => {
  test("an account that was deleted", async () => {
    receivers.still = true
    const henry = await signedIn("henry")
    const his = await endpoint(henry, { events: ["tags.created"] })
    const hers = await endpoint(alice, { events: ["tags.created"] })
    await pile(his.id, 3)
    await pile(hers.id, 3)
    await removeEndpoints(toolApp())
    expect((await traces(his.id)).deliveries).toBe(3)
    expect((await call(henry, "DELETE", "/auth/me")).status).toBe(204)
    await removeEndpoints(toolApp())
    expect(await traces(his.id)).toEqual(none)
    expect(await traces(hers.id)).toMatchObject({ endpoints: 1, subscriptions: 1, deliveries: 3 })
  })

  test("an organisation that was deleted", async () => {
    receivers.still = true
    const iris = await signedIn("iris")
    const alone = await endpoint(iris, { events: ["tags.created"] })
    const organisation = await organisationOf([[iris, ["owner"]]])
    const owner = await signIn(iris.email)
    const { id } = await endpoint(owner, { events: ["tags.created"] })
    await pile(id, 3)
    expect((await call(owner, "DELETE", `/auth/organisations/${organisation}`)).status).toBe(204)
    await removeEndpoints(toolApp())
    expect(await traces(id)).toEqual(none)
    expect((await traces(alone.id)).endpoints).toBe(1)
  })
})

test("what waits for an endpoint that was disabled is kept for thirty days, and what others wait for longer", async () => {
  receivers.still = true
  const ids: string[] = []
  for (let n = 0; n < 3; n++) {
    const { id } = await endpoint(alice, { events: ["tags.created"] })
    await pile(id, 1_200, n === 0 ? "retrying" : "waiting")
    ids.push(id)
  }
  const [old, young, enabled] = ids as [string, string, string]
  await stored(
    "UPDATE webhook_endpoints SET enabled = 0, disabledAt = ? WHERE id = ?",
    at(-31),
    old,
  )
  await stored(
    "UPDATE webhook_endpoints SET enabled = 0, disabledAt = ? WHERE id = ?",
    at(-29),
    young,
  )
  await sweepDisabled(toolApp())
  expect(await traces(old)).toMatchObject({ endpoints: 1, deliveries: 0, attempts: 0 })
  expect(await traces(young)).toMatchObject({ deliveries: 1_200, attempts: 1_200 })
  expect(await traces(enabled)).toMatchObject({ deliveries: 1_200, attempts: 1_200 })
})

test("what is withheld is not kept as its receiver repeated it either", async () => {
  const bob = await signedIn("bob")
  const { id } = await endpoint(bob, { events: ["articles.created"] })
  const article = await create(alice, "articles", { title: "withheld", status: "published" })
  receivers.answer = ({ body }) => new Response(body, { headers: { "x-told": "withheld" } })
  await settled()
  await received(1)
  receivers.still = true
  const [item] = (await deliveries(bob, id)).items
  const log = () =>
    stored("SELECT body, headers FROM webhook_attempts WHERE delivery = ?", item?.id)
  await read(call(alice, "PATCH", `/records/articles/${article.id}`, { status: "draft" }), 200)
  expect(JSON.stringify(await log())).toContain("withheld")
  await read(call(bob, "POST", `/webhooks/endpoints/${id}/deliveries/${item?.id}/replays`), 201)
  await senderOf(id).run()
  expect((await deliveries(bob, id)).items).toMatchObject([{ state: "withheld" }])
  expect(await log()).toEqual([{ body: null, headers: null }])
})

describe("an endpoint whose key has ended", () => {
  const programOf = async (as: Person): Promise<Person & { key: string }> => {
    const key = await read<{ id: string; key: string }>(
      call(as, "POST", "/auth/api-keys", { name: "k", scopes: ["tags:read", "webhooks:*"] }),
      201,
    )
    return { ...as, token: key.key, key: key.id }
  }

  test("is disabled, its holder is told why, and it cannot be enabled any more", async () => {
    const paula = await signedIn("paula")
    const program = await programOf(paula)
    const { id } = await endpoint(program, { events: ["tags.created"] })
    const path = `/webhooks/endpoints/${id}`
    await read(call(program, "PATCH", path, { enabled: false }), 200)
    await read(call(paula, "PATCH", path, { enabled: true }), 200)
    await read(call(paula, "DELETE", `/auth/api-keys/${program.key}`), 204)
    receivers.still = true
    await create(alice, "tags", { name: "after the key" })
    await settledPump()
    await senderOf(id).run()
    expect(receivers.received).toEqual([])
    expect(await read<Json>(call(paula, "GET", path), 200)).toMatchObject({
      enabled: false,
      disabledReason: "owner",
    })
    const mails = await stored(
      "SELECT text FROM mails WHERE template = 'webhooks.endpoint-disabled' AND recipient = ?",
      paula.id,
    )
    expect(mails).toHaveLength(1)
    expect(mails[0]?.text).toContain("API key")
    await refused(call(paula, "PATCH", path, { enabled: true }), 409)
    await read(call(paula, "PATCH", path, { description: "old" }), 200)
  })

  test("tells nobody where its holder is not there either", async () => {
    receivers.still = true
    const quentin = await signedIn("quentin")
    const { id } = await endpoint(await programOf(quentin), { events: ["tags.created"] })
    await create(alice, "tags", { name: "for nobody" })
    await settledPump()
    await read(call(root, "PATCH", `/auth/users/${quentin.id}`, { disabled: true }), 200)
    await senderOf(id).run()
    expect(await stored("SELECT disabledReason FROM webhook_endpoints WHERE id = ?", id)).toEqual([
      { disabledReason: "owner" },
    ])
    expect(
      await stored(
        "SELECT id FROM mails WHERE template = 'webhooks.endpoint-disabled' AND recipient = ?",
        quentin.id,
      ),
    ).toEqual([])
  })
})
