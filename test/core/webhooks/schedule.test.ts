import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { ExpressionError } from "../../../src/core/expression/error.ts"
import {
  delays,
  parseRetryAfter,
  pauseAfterFailures,
  retryAfterFailures,
} from "../../../src/core/webhooks/retry-schedule.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create } from "../records/cast.ts"
import { content, deliveries, delivery, endpoint, eventOf, settledPump } from "./cast.ts"
import { copyLine, senderOf, stored } from "./clock.ts"

let alice: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  receivers.still = true
})
afterAll(() => {
  receivers.still = false
})
beforeEach(content)

const listening = (more: object = {}) => endpoint(alice, { events: ["tags.created"], ...more })

let tags = 0
/** Names of so many tags that were made, and announced. */
async function written(count: number): Promise<string[]> {
  const names = Array.from({ length: count }, () => `t${tags++}`)
  for (const name of names) await create(alice, "tags", { name })
  await settledPump()
  return names
}
const told = () => receivers.received.map((request) => eventOf(request).data.record?.name)
const endpointOf = async (id: string) =>
  (await stored("SELECT * FROM webhook_endpoints WHERE id = ?", id))[0] ?? {}

describe("a delivery that fails", () => {
  test("is tried ten times, by the schedule and up to a tenth later, with one id; then it is given up", async () => {
    const { id } = await listening()
    await written(1)
    const sender = senderOf(id)
    const times: number[] = []
    receivers.answer = () => {
      times.push(sender.clock)
      return new Response("no", { status: 500 })
    }
    expect(await sender.run()).toBeNull()
    const waits = times.map((time, i) => (time - (times[i - 1] ?? time)) / 1_000)
    expect(waits).toHaveLength(10)
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(delays[i] as number)
      expect(wait).toBeLessThan((delays[i] as number) * 1.1 + 1.5)
    }
    expect(new Set(receivers.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1)
    // Each is signed anew: its receiver refuses what is old.
    expect(
      new Set(receivers.received.map(({ headers }) => headers["webhook-timestamp"])).size,
    ).toBe(10)
    const [item] = (await deliveries(alice, id)).items
    expect(item).toMatchObject({ state: "failed", attempts: 10 })
    const { log } = await delivery(alice, id, item?.id as string)
    expect(log).toHaveLength(10)
    expect(log[0]).toMatchObject({ status: 500, body: "no", error: "It answered with 500." })
  })

  test("keeps those behind it waiting for three attempts; then it steps aside, and comes back", async () => {
    const { id } = await listening()
    const [first, second, third] = await written(3)
    const sender = senderOf(id)
    let refusals = 3
    receivers.answer = (received) =>
      eventOf(received).data.record?.name === first && refusals-- > 0
        ? new Response(null, { status: 503 })
        : new Response()
    expect(await sender.run()).toBeNull()
    expect(told()).toEqual([first, first, first, second, third, first])
  })

  test.each([
    [
      "a redirect, which is not followed",
      () => Response.redirect("https://elsewhere.com/", 302),
      "redirect",
    ],
    ["410", () => new Response(null, { status: 410 }), "410"],
    ["404", () => new Response(null, { status: 404 }), "404"],
    ["a connection that breaks", () => Promise.reject(new Error("reset")), "reset"],
  ])("%s is a failure", async (_, answer, word) => {
    const { id } = await listening()
    await written(1)
    receivers.answer = answer
    await senderOf(id).look()
    expect(receivers.received).toHaveLength(1)
    const [item] = (await deliveries(alice, id)).items
    expect(item).toMatchObject({ state: "waiting", attempts: 1 })
    expect((await delivery(alice, id, item?.id as string)).log[0]?.error).toContain(word)
  })
})

describe("a receiver that asks for time", () => {
  test.each([
    [429, "3600", 3_600],
    [503, "120", 120],
    [503, new Date(Date.now() + 7_200_000).toUTCString(), 7_190],
    [429, "999999", 86_400],
  ])("%d with Retry-After %s gets it, a day at most", async (status, header, seconds) => {
    const { id } = await listening()
    const [first, second] = await written(2)
    const sender = senderOf(id)
    let answers = 0
    receivers.answer = () =>
      answers++ === 0
        ? new Response(null, { status, headers: { "retry-after": header } })
        : new Response()
    const began = sender.clock
    const next = await sender.look()
    expect(((next as number) - began) / 1_000).toBeGreaterThanOrEqual(seconds)
    expect(((next as number) - began) / 1_000).toBeLessThan(seconds + 60)
    sender.clock = (next as number) - 1_000
    await sender.look()
    expect(told()).toEqual([first])
    expect(await sender.run()).toBeNull()
    expect(told()).toEqual([first, first, second])
  })

  test("is taken at its word with 429 and 503 alone, and not when it makes no sense", () => {
    expect(parseRetryAfter(500, "60", 0)).toBeNull()
    expect(parseRetryAfter(429, null, 0)).toBeNull()
    expect(
      ["", "soon", "-5", "0", "1e3"].map((text) => parseRetryAfter(429, text, Date.now())),
    ).toEqual([null, null, null, null, null])
  })
})

describe("an endpoint", () => {
  test("that fails five times in a row is left alone, is probed, and goes on when it works", async () => {
    const { id } = await listening()
    const names = await written(8)
    const sender = senderOf(id)
    let broken = true
    receivers.answer = () => new Response(null, { status: broken ? 500 : 200 })
    for (let n = 0; (await endpointOf(id)).pausedUntil === null && n < 10; n++) await sender.run(1)
    expect(receivers.received).toHaveLength(5)
    const { pausedUntil, failures } = await endpointOf(id)
    expect(failures).toBe(5)
    sender.clock = Date.parse(pausedUntil as string) - 1_000
    expect(await sender.look()).toBeGreaterThanOrEqual(Date.parse(pausedUntil as string))
    expect(receivers.received).toHaveLength(5)
    broken = false
    expect(await sender.run()).toBeNull()
    expect(new Set(told())).toEqual(new Set(names))
    expect(await endpointOf(id)).toMatchObject({
      failures: 0,
      failingSince: null,
      pausedUntil: null,
    })
  })

  test("that fails for five days is disabled, and its owner is told, in their language", async () => {
    const { id } = await listening()
    await stored("UPDATE users SET locale = 'de' WHERE id = ?", alice.id)
    const sender = senderOf(id)
    receivers.answer = () => new Response(null, { status: 500 })
    await written(1)
    await sender.run()
    expect(await endpointOf(id)).toMatchObject({ enabled: 1 })
    await written(1)
    await sender.run()
    expect(await endpointOf(id)).toMatchObject({ enabled: 0, disabledReason: "failing" })
    const mails = await stored(
      "SELECT subject, locale, recipient, text FROM mails WHERE template = 'webhooks.endpoint-disabled' AND locale = 'de' AND recipient = ?",
      alice.id,
    )
    expect(mails).toMatchObject([
      { subject: "Ein Webhook wurde abgeschaltet", locale: "de", recipient: alice.id },
    ])
    expect(mails[0]?.text).toContain("hooks.partner.com")
    const sent = receivers.received.length
    await written(1)
    await sender.run()
    expect(receivers.received).toHaveLength(sent)
  })

  test("that failed weeks ago, and has been sent nothing since, begins a new row of failures", async () => {
    const { id } = await listening()
    const sender = senderOf(id)
    receivers.answer = () => new Response(null, { status: 500 })
    await written(1)
    expect(await sender.run()).toBeNull()
    sender.clock += 30 * 24 * 3_600_000
    const [name] = await written(1)
    receivers.received = []
    await sender.look()
    expect(told()).toEqual([name])
    expect(await endpointOf(id)).toMatchObject({
      enabled: 1,
      failures: 1,
      failingSince: new Date(sender.clock).toISOString(),
      pausedUntil: null,
    })
    receivers.answer = () => new Response()
    expect(await sender.run()).toBeNull()
    expect(await endpointOf(id)).toMatchObject({ failures: 0, failedAt: null })
  })

  test("that says 410 is disabled at once", async () => {
    const { id } = await listening()
    await written(3)
    receivers.answer = () => new Response(null, { status: 410 })
    expect(await senderOf(id).look()).toBeNull()
    expect(receivers.received).toHaveLength(1)
    expect(await endpointOf(id)).toMatchObject({ enabled: 0, disabledReason: "gone" })
  })

  test("is disabled later where that fails, and nothing else of its turn is lost", async () => {
    const { id } = await listening()
    const other = await listening()
    await written(1)
    receivers.answer = () => new Response(null, { status: 410 })
    const sender = senderOf(id)
    sender.sees.push(other.id)
    const app = sender.app()
    let fails = true
    const all: typeof app.directory.all = async (asked) => {
      if (!fails || !asked.text.startsWith("SELECT locale")) return app.directory.all(asked)
      fails = false
      throw new Error("no answer")
    }
    const next = await sender.look({ ...app, directory: { ...app.directory, all } })
    expect(next).toBeLessThanOrEqual(Date.now())
    expect(sender.memory.away.has(id) || sender.memory.away.has(other.id)).toBe(false)
    const enabled = async () =>
      Number((await endpointOf(id)).enabled) + Number((await endpointOf(other.id)).enabled)
    expect(await enabled()).toBe(1)
    await sender.run(3)
    expect(await enabled()).toBe(0)
  })

  describe("whose owner changes it while it is sent to", () => {
    const mails = async () =>
      (await stored("SELECT id FROM mails WHERE template = 'webhooks.endpoint-disabled'")).length
    const change = (id: string, patch: object) =>
      call(alice, "PATCH", `/webhooks/endpoints/${id}`, patch)

    test("is not blamed for what its old address said", async () => {
      const { id } = await listening()
      await written(1)
      const before = await mails()
      receivers.answer = async () => {
        await change(id, { url: "https://new.partner.com/in" })
        return new Response(null, { status: 410 })
      }
      const sender = senderOf(id)
      expect(await sender.look()).toBeLessThanOrEqual(Date.now())
      expect(await endpointOf(id)).toMatchObject({ enabled: 1, failures: 0, failedAt: null })
      expect(await mails()).toBe(before)
      receivers.answer = () => new Response()
      expect(await sender.run()).toBeNull()
      expect(receivers.received.at(-1)?.url).toBe("https://new.partner.com/in")
    })

    test("begins anew where it was enabled again", async () => {
      const { id } = await listening()
      await written(1)
      const sender = senderOf(id)
      await stored(
        "UPDATE webhook_endpoints SET failures = 9, failingSince = ?, failedAt = ? WHERE id = ?",
        new Date(sender.clock - 6 * 24 * 3_600_000).toISOString(),
        new Date(sender.clock - 3_600_000).toISOString(),
        id,
      )
      receivers.answer = async () => {
        await change(id, { enabled: false })
        await change(id, { enabled: true })
        return new Response(null, { status: 500 })
      }
      await sender.look()
      expect(await endpointOf(id)).toMatchObject({ enabled: 1, failures: 0, failingSince: null })
    })
  })

  test("is sent so many a second, as it says", async () => {
    const { id } = await listening({ ratePerSecond: 2 })
    const names = await written(5)
    const sender = senderOf(id)
    const seconds: number[] = []
    receivers.answer = () => {
      seconds.push(Math.floor(sender.clock / 1_000))
      return new Response()
    }
    expect(await sender.run()).toBeNull()
    expect(told()).toEqual(names)
    const most = Math.max(
      ...seconds.map((second) => seconds.filter((one) => one === second).length),
    )
    expect(most).toBeLessThanOrEqual(2)
  })

  test("with ten thousand deliveries waiting takes up twenty, and reads no more", async () => {
    const { id } = await listening({ ratePerSecond: 100 })
    const [name] = await written(1)
    const [line] = await stored("SELECT max(seq) AS seq FROM changes")
    // Lines of its own, as many writes would have left them.
    await copyLine(line?.seq, 10_000)
    await stored(
      `INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT id, ?, seq, id, 'tags.created', 'queued', 0, at, at FROM changes WHERE seq > ?`,
      id,
      line?.seq,
    )
    await stored("UPDATE change_followers SET seq = (SELECT max(seq) FROM changes)")
    const sender = senderOf(id)
    const app = sender.app()
    await senderOf(id).look()
    await sender.look(app)
    expect(app.cost.rowsRead).toBeLessThan(1_000)
    expect(receivers.received.length).toBeLessThanOrEqual(40)
    expect(told()[0]).toBe(name)
  })
})

describe("what a receiver refuses for ever", () => {
  const refusing = (bad: readonly unknown[]) => {
    receivers.answer = (received) =>
      new Response(null, {
        status: bad.includes(eventOf(received).data.record?.name) ? 400 : 200,
      })
  }

  test("does not keep what it takes, however much of it comes back", async () => {
    const { id } = await listening()
    const bad = await written(8)
    refusing(bad)
    const sender = senderOf(id)
    const aside = async () =>
      (
        await stored(
          "SELECT count(*) AS n FROM webhook_deliveries WHERE endpoint = ? AND state = 'retrying'",
          id,
        )
      )[0]?.n
    for (let n = 0; (await aside()) !== bad.length && n < 100; n++) await sender.run(1)
    expect(await aside()).toBe(bad.length)
    for (let day = 0; day < 2; day++) {
      const good = await written(3)
      sender.clock += 24 * 3_600_000
      receivers.received = []
      await sender.run(3)
      expect(told().filter((name) => good.includes(name as string))).toEqual(good)
      // They are asked for, too.
      expect(told().filter((name) => bad.includes(name as string)).length).toBeGreaterThan(0)
    }
    expect(await endpointOf(id)).toMatchObject({ enabled: 1 })
  })

  test("is asked for while the head of the line is not due, and what is behind the head is not", async () => {
    const { id } = await listening()
    const [aside, head, behind] = await written(3)
    const sender = senderOf(id)
    refusing([head])
    const set = (name: string | undefined, state: string, nextAt: number) =>
      stored(
        `UPDATE webhook_deliveries SET state = ?, attempts = 1, nextAt = ?
WHERE endpoint = ? AND seq = (SELECT seq FROM changes WHERE subject = 'tags' AND payload ->> 'name' = ?)`,
        state,
        new Date(nextAt).toISOString(),
        id,
        name,
      )
    await set(aside, "retrying", sender.clock - 1_000)
    await set(head, "waiting", sender.clock + 600_000)
    await stored("UPDATE webhook_endpoints SET failures = 1 WHERE id = ?", id)
    await sender.look()
    expect(told()).toEqual([aside])
    sender.clock += 700_000
    await sender.look()
    expect(told()).toEqual([aside, head])
    expect(told()).not.toContain(behind)
  })

  test("does not crowd out the line with its size", async () => {
    const { id } = await listening()
    const [name] = await written(1)
    const [line] = await stored("SELECT max(seq) AS seq FROM changes")
    await copyLine(line?.seq, 5, "json_set(c.payload, '$.name', hex(zeroblob(500000)))")
    await stored(
      `INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT id, ?, seq, id, 'tags.created', 'retrying', 3, at, at FROM changes WHERE seq > ?`,
      id,
      line?.seq,
    )
    await senderOf(id).look()
    expect(told()).toEqual([name])
  })
})

describe("an endpoint that cannot be sent to for our own reasons", () => {
  const withFilter = async () => {
    const made = await endpoint(alice, {
      events: ["tags.created", "articles.created"],
      filter: "createdAt != null",
    })
    const [name] = await written(1)
    await create(alice, "articles", { title: "p", status: "draft" })
    await settledPump()
    return { id: made.id, name }
  }

  test("because a field that its filter names is gone, is disabled, and its owner is told; what was sent stays sent", async () => {
    const { id, name } = await withFilter()
    // As a deployment leaves it that takes the field from one of the collections.
    await stored("UPDATE webhook_endpoints SET filter = 'name != null' WHERE id = ?", id)
    const sender = senderOf(id)
    expect(await sender.look()).toBeNull()
    expect(told()).toEqual([name])
    expect(await endpointOf(id)).toMatchObject({ enabled: 0, disabledReason: "filter" })
    expect((await deliveries(alice, id, "?state=succeeded")).items).toHaveLength(1)
    const [mail] = await stored(
      "SELECT text FROM mails WHERE template = 'webhooks.endpoint-disabled' ORDER BY id DESC LIMIT 1",
    )
    expect(mail?.text).toContain("ilter")
    expect(await sender.look()).toBeNull()
    expect(told()).toEqual([name])
  })

  test("is not disabled for a filter that its owner has mended meanwhile", async () => {
    const { id, name } = await withFilter()
    await stored("UPDATE webhook_endpoints SET filter = 'name != null' WHERE id = ?", id)
    receivers.answer = async () => {
      await stored("UPDATE webhook_endpoints SET filter = NULL WHERE id = ?", id)
      return new Response()
    }
    const sender = senderOf(id)
    await expect(sender.look()).rejects.toThrow(ExpressionError)
    expect(await endpointOf(id)).toMatchObject({ enabled: 1 })
    sender.clock += 10_000
    expect(await sender.run()).toBeNull()
    expect(told()).toEqual([name, undefined])
  })

  test("because a line cannot be told, says why it stops, and does not send those before it again", async () => {
    const { id } = await listening()
    const [name] = await written(1)
    const [line] = await stored("SELECT max(seq) AS seq FROM changes")
    await stored(
      `INSERT INTO changes (id, at, actor, organisation, subject, record, version, kind, authority, requestId, salt, payload)
SELECT id || '-2', at, actor, NULL, subject, record, 2, 'updated', authority, requestId, salt, 'null' FROM changes WHERE seq = ?`,
      line?.seq,
    )
    await stored(
      `INSERT INTO webhook_deliveries (id, endpoint, seq, change, type, state, attempts, nextAt, createdAt)
SELECT id, ?, seq, id, 'tags.updated', 'queued', 0, at, at FROM changes WHERE seq > ?`,
      id,
      line?.seq,
    )
    const sender = senderOf(id)
    for (let n = 0; n < 3; n++) {
      await expect(sender.look()).rejects.toThrow(TypeError)
      sender.clock += 3_600_000
    }
    expect(told()).toEqual([name])
    expect((await deliveries(alice, id, "?state=succeeded")).items).toHaveLength(1)
    expect(await endpointOf(id)).toMatchObject({ enabled: 1, failures: 0 })
  })
})

test("the schedule is that of the protocol; a lone delivery's is not stretched by the circuit", () => {
  expect(delays).toEqual([0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400])
  for (let failed = 1; failed < delays.length; failed++) {
    const wait = retryAfterFailures(failed, "msg_a") as number
    expect(pauseAfterFailures(failed)).toBeLessThan(wait)
    expect(wait).toBe(retryAfterFailures(failed, "msg_a"))
    expect(wait).not.toBe(retryAfterFailures(failed, "msg_b"))
  }
  expect(retryAfterFailures(10, "msg_a")).toBeNull()
})
