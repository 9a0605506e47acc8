import { env } from "cloudflare:workers"
import { createHmac } from "node:crypto"
import { beforeEach, describe, expect, test, vi } from "vitest"
import { told } from "../../support/hooks.ts"
import { call, costOf } from "../../support/people.ts"
import { forgetEvents, settledHooks, storedEvents, tell } from "./cast.ts"

let applied: string[]

beforeEach(async () => {
  await forgetEvents()
  applied = []
  told.apply = ({ event }) => void applied.push(event.eventId)
})

const sensors = "planted-secret-of-the-sensors"
const sense = (body: BodyInit, signed: string | Uint8Array, headers: Record<string, string> = {}) =>
  call(null, "POST", "/hooks/sensors", body, {
    "x-signature": createHmac("sha256", sensors).update(signed).digest("base64"),
    ...headers,
  })

describe("a verified event", () => {
  test("is stored with its job in one trip, answered, and applied", async () => {
    const sent = await tell("msg_1", { type: "film.announced", title: "M" })
    expect(sent.status).toBe(202)
    expect(await sent.json()).toEqual({ received: true })
    expect(costOf(sent)).toMatchObject({ trips: 1 })
    expect(await settledHooks()).toMatchObject([{ name: "hooks.partner", state: "succeeded" }])
    expect(applied).toEqual(["msg_1"])
    expect(await storedEvents()).toMatchObject([
      {
        source: "partner",
        eventId: "msg_1",
        type: "film.announced",
        body: '{"type":"film.announced","title":"M"}',
        encoding: "utf8",
        appliedAt: expect.any(String),
      },
    ])
  })

  test("that comes again is known, and changes nothing", async () => {
    await tell("msg_1", { n: 1 })
    const again = await tell("msg_1", { n: 1 })
    expect(again.status).toBe(200)
    expect(await again.json()).toEqual({ received: false })
    await settledHooks()
    expect(applied).toEqual(["msg_1"])
  })

  test("that comes fifty times at once is applied once", async () => {
    const sent = await Promise.all(Array.from({ length: 50 }, () => tell("msg_1", { n: 1 })))
    const statuses = sent.map(({ status }) => status)
    expect(statuses.filter((status) => status === 202)).toHaveLength(1)
    expect(statuses.filter((status) => status === 200)).toHaveLength(49)
    await settledHooks()
    expect(applied).toEqual(["msg_1"])
    expect(await storedEvents()).toHaveLength(1)
  })

  test("may be signed with any secret that is valid now", async () => {
    const next = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    expect((await tell("msg_2", {}, { secret: next })).status).toBe(202)
    expect((await tell("msg_3", {})).status).toBe(202)
  })

  test("without an id is known by its body", async () => {
    const body = '{"celsius":21}'
    expect((await sense(body, body)).status).toBe(202)
    expect((await sense(body, body)).status).toBe(200)
    const [event] = await storedEvents()
    expect(event?.eventId).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  test.each([
    ["no text", new Uint8Array([0xff, 0xfe, 0x00, 0x41])],
    ["text that SQLite would cut off", new TextEncoder().encode("a\0b")],
  ])("whose body is %s is kept byte for byte", async (_, bytes) => {
    expect((await sense(bytes as BodyInit, bytes)).status).toBe(202)
    const [event] = await storedEvents()
    expect(event).toMatchObject({ encoding: "base64", sizeBytes: bytes.length })
    expect([...Buffer.from(String(event?.body), "base64")]).toEqual([...bytes])
  })

  test("is stored with the headers that say what it is, and no others", async () => {
    const body = '{"celsius":21}'
    await sense(body, body, { "x-sensor": "roof", authorization: "Basic c2VjcmV0", cookie: "a=b" })
    const [event] = await storedEvents()
    expect(JSON.parse(String(event?.headers))).toEqual({
      "content-type": "application/json",
      "x-sensor": "roof",
    })
  })
})

describe("whoever cannot prove to be the source", () => {
  const unknown = () => call(null, "POST", "/hooks/nobody", { n: 1 })

  test.each([
    [
      "with another secret",
      () => tell("m", {}, { secret: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
    ],
    ["with an old moment", () => tell("m", {}, { ageSeconds: 301 })],
    ["without a signature", () => tell("m", {}, { headers: { "webhook-signature": "" } })],
    ["without anything", () => call(null, "POST", "/hooks/partner", {})],
    ["where no secret is set", () => call(null, "POST", "/hooks/silent", {})],
  ])("%s is answered as if there were no such hook, and writes nothing", async (_, send) => {
    const [refused, none] = [await send(), await unknown()]
    expect(refused.status).toBe(404)
    const [a, b] = [await refused.json(), await none.json()] as Record<string, unknown>[]
    expect({ ...a, requestId: "" }).toEqual({ ...b, requestId: "" })
    expect(costOf(refused)).toMatchObject({ trips: 0 })
    expect(await storedEvents()).toEqual([])
  })

  test("the empty secret of a hook signs nothing", async () => {
    const signature = `sha256=${createHmac("sha256", "").update("{}").digest("hex")}`
    const sent = await call(null, "POST", "/hooks/silent", "{}", {
      "x-hub-signature-256": signature,
    })
    expect(sent.status).toBe(404)
  })

  test("learns and leaves no secret, neither in an answer nor in the log", async () => {
    const lines: string[] = []
    for (const level of ["info", "warn", "error", "log"] as const) {
      vi.spyOn(console, level).mockImplementation((...said) => void lines.push(said.join(" ")))
    }
    const body = '{"celsius":"hot"}'
    const answers = [await sense(body, "other"), await sense(body, body)]
    await settledHooks()
    vi.restoreAllMocks()
    const said = [...lines, ...(await Promise.all(answers.map((answer) => answer.text())))].join(
      "\n",
    )
    expect(said).toContain("hook refused")
    expect(said).not.toContain(sensors)
    const { results } = await env.DB.prepare("SELECT * FROM inbound_events, jobs").all()
    expect(JSON.stringify(results)).not.toContain(sensors)
  })
})

describe("a body", () => {
  const limit = 1_048_576

  test("of the limit is taken, and beyond it is refused for everybody", async () => {
    const body = "x".repeat(limit)
    expect((await sense(body, body)).status).toBe(202)
    for (const source of ["sensors", "nobody"]) {
      const sent = await call(null, "POST", `/hooks/${source}`, `${body}x`)
      expect(sent.status).toBe(413)
    }
  })

  test("that does not say how long it is, is counted while it comes", async () => {
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(65_536))
      },
    })
    const sent = await sense(endless, "")
    expect(sent.status).toBe(413)
    expect(pulled).toBeLessThan(100)
  })

  test("that is not what the hook takes fails for good, and is kept", async () => {
    const body = '{"celsius":"hot"}'
    expect((await sense(body, body)).status).toBe(202)
    const error = expect.stringContaining("not what the hook takes: celsius: ")
    expect(await settledHooks()).toMatchObject([{ state: "dead", attempts: 1, error }])
    expect(await storedEvents()).toMatchObject([{ body, appliedAt: null }])
  })
})

describe("Slack's challenge", () => {
  const challenge = (secret: string) => {
    const body =
      '{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}'
    const seconds = Math.floor(Date.now() / 1_000)
    const signature = createHmac("sha256", secret).update(`v0:${seconds}:${body}`).digest("hex")
    return call(null, "POST", "/hooks/chat", body, {
      "x-slack-request-timestamp": String(seconds),
      "x-slack-signature": `v0=${signature}`,
    })
  }

  test("is answered with its text, and is no event", async () => {
    const answer = await challenge("8f742231b10e8888abcd99yyyzzz85a5")
    expect(answer.status).toBe(200)
    expect(answer.headers.get("content-type")).toContain("text/plain")
    expect(await answer.text()).toBe("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")
    expect(await storedEvents()).toEqual([])
  })

  test("of anybody else is not", async () => {
    expect((await challenge("another")).status).toBe(404)
  })
})
