import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { attempt, type Outside } from "../../../src/core/webhooks/attempt.ts"
import { type Person, signedIn } from "../../support/people.ts"
import { receivers } from "../../support/receivers.ts"
import { create } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"
import { content, endpoint, eventOf, received } from "./cast.ts"

const { settings } = toolApp()
const url = "https://hooks.partner.com/in"
const outside = (fetch: Outside["fetch"], addresses = ["93.184.216.34"]): Outside => ({
  fetch,
  resolve: async () => addresses,
})
const to = (fetch: Outside["fetch"], timeout = 200) =>
  attempt(settings, outside(fetch), url, {}, "{}", timeout)

/** A body that is made as it is read, and tells how much was. */
function endless(piece: Uint8Array, delayMilliseconds = 0) {
  const told = { bytes: 0, cancelled: false }
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (delayMilliseconds)
          await new Promise((resolve) => setTimeout(resolve, delayMilliseconds))
        told.bytes += piece.length
        controller.enqueue(piece)
      },
      cancel() {
        told.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { told, body }
}

describe("a receiver that", () => {
  test("never ends its answer is read for a KB, and taken at its status", async () => {
    const { told, body } = endless(new Uint8Array(65_536).fill(97))
    const outcome = await to(async () => new Response(body))
    expect(outcome).toMatchObject({ status: 200, error: null })
    expect(outcome.body).toBe("a".repeat(1_024))
    expect(told.cancelled).toBe(true)
    expect(told.bytes).toBeLessThan(500_000)
  })

  test("never answers is not waited for", async () => {
    const outcome = await to(
      (request) =>
        new Promise((_, reject) => {
          request.signal.addEventListener("abort", () => reject(new Error("aborted")))
        }),
    )
    expect(outcome).toMatchObject({ status: null, error: "No answer within 0.2 seconds." })
  })

  test("drips its answer byte by byte is as late as one that is silent", async () => {
    const { body } = endless(new Uint8Array([97]), 20)
    const outcome = await to(async () => new Response(body))
    expect(outcome).toMatchObject({ status: null, error: "No answer within 0.2 seconds." })
  })

  test("closes in the middle of its answer has not taken it", async () => {
    let pieces = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pieces++ === 0) controller.enqueue(new TextEncoder().encode("half"))
        else controller.error(new Error("reset"))
      },
    })
    expect(await to(async () => new Response(body))).toMatchObject({
      status: 200,
      body: "half",
      error: "The answer broke off.",
    })
  })

  test("answers what is no text is kept as far as it can be shown", async () => {
    const body = new Uint8Array([0, 255, 254, 65])
    const outcome = await to(async () => new Response(body))
    expect(outcome.body).toBe("\uFFFD\uFFFD\uFFFDA")
  })

  test("sets cookies and long headers has them left out or cut", async () => {
    const headers = new Headers({ "set-cookie": "a=b", "x-long": "y".repeat(5_000) })
    const outcome = await to(async () => new Response(null, { status: 204, headers }))
    expect(outcome.headers).toEqual({ "x-long": "y".repeat(500) })
  })
})

describe("a name that leads to", () => {
  test.each([
    [["127.0.0.1"]],
    [["93.184.216.34", "10.0.0.1"]],
    [["169.254.169.254"]],
    [["::ffff:127.0.0.1"]],
    [["fd00::1"]],
    [[]],
  ])("%j is not called", async (addresses) => {
    let called = false
    const fetch = async () => {
      called = true
      return new Response()
    }
    const outcome = await attempt(settings, outside(fetch, addresses), url, {}, "{}")
    expect(outcome.status).toBeNull()
    expect(outcome.error).toMatch(/^The address /)
    expect(called).toBe(false)
  })

  test("nobody knows where is not called", async () => {
    const unable: Outside = {
      fetch: async () => new Response(),
      resolve: () => Promise.reject(new Error("no resolver")),
    }
    const outcome = await attempt(settings, unable, url, {}, "{}")
    expect(outcome).toMatchObject({ status: null, error: "No connection: no resolver" })
  })
})

describe("while one receiver hangs", () => {
  let alice: Person
  beforeAll(async () => {
    alice = await signedIn("alice")
  })
  beforeEach(content)

  test("others are told, and the writer is answered", async () => {
    const hanging = "https://hangs.partner.com/"
    let release: (response: Response) => void = () => {}
    receivers.answer = ({ url }) =>
      url === hanging
        ? new Promise<Response>((resolve) => {
            release = resolve
          })
        : new Response()
    await endpoint(alice, { url: hanging, events: ["tags.created"] })
    await endpoint(alice, { events: ["tags.created"] })
    for (const name of ["one", "two", "three"]) await create(alice, "tags", { name })
    await received(4)
    const heard = receivers.received.filter((request) => request.url !== hanging)
    expect(heard.map((request) => eventOf(request).data.record?.name)).toEqual([
      "one",
      "two",
      "three",
    ])
    expect(receivers.received.filter((request) => request.url === hanging)).toHaveLength(1)
    release(new Response())
    await received(5)
  })
})
