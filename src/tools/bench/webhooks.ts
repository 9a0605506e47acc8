import { fork } from "node:child_process"
import { once } from "node:events"
import { loadavg } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { type Backend, startBackend } from "./deployment.ts"
import { load, makeRequest, median, takeTurns } from "./load.ts"
import type { Received } from "./receiver.ts"

/*
 * What webhooks cost and how fast they are: from a writer's answer to a receiver, many receivers of each write, and what
 * the writer's own answer has to do with it.
 */

const rows = 1_000
const endpoints = 50
const single = 50
const fanned = 20
const rounds = 9
/** Of creates as fast as they go: what each leaves to be delivered takes the longest. */
const saturated = 12
const slice = { connections: 8, seconds: 0.5 }
/** Pairs of creates that have the machine to themselves. */
const alone = 30
/** A rate that a writer would call modest, though it is 250 deliveries a second. */
const steady = { connections: 1, seconds: 2, requestsPerSecond: 5 }

export async function printWebhooks(): Promise<void> {
  console.log(`Webhooks; ${loadavg()[0]?.toFixed(1)} at work on the machine before.`)
  const options = { background: true, waiting: 0, development: true }
  const [some, none] = [await startBackend(rows, options), await startBackend(rows, options)]
  const receiver = await startReceiver()
  try {
    const token = await some.signIn()
    const first = await listen(some, token, receiver.url)
    const waits: number[] = []
    for (let n = 0; n < single; n++) {
      await create(some, token)
      const committed = performance.timeOrigin + performance.now()
      await receiver.until(n + 1)
      waits.push(Math.max(0, receiver.lastAt() - committed))
    }
    console.log(
      `From a writer's answer to a fast receiver: median of ${single} events ${median(waits).toFixed(0)} ms (goal 100).`,
    )
    await fetch(`${some.url}/webhooks/endpoints/${first}`, {
      method: "DELETE",
      headers: auth(token),
    })
    for (let n = 0; n < endpoints; n++) await listen(some, token, receiver.url)
    const before = receiver.count()
    const started = performance.now()
    for (let n = 0; n < fanned; n++) await create(some, token)
    await receiver.until(before + fanned * endpoints)
    const seconds = (performance.now() - started) / 1_000
    console.log(
      `${fanned} writes to ${endpoints} endpoints each: ${Math.round((fanned * endpoints) / seconds)} deliveries a second.`,
    )
    const sides = [
      [some, token, endpoints],
      [none, await none.signIn(), 0],
    ] as const
    printLatencies("Creates one at a time", await latenciesAlone(sides, receiver))
    printLatencies(
      `Creates at ${steady.requestsPerSecond} a second`,
      await latenciesAtRate(sides, receiver),
    )
    console.log(
      `Creates as fast as they go, each of which ${endpoints} endpoints hear of, against none: ratio ${(await ratio(some, none, token)).toFixed(2)} (goal 0.95), median of ${saturated} rounds; ${loadavg()[0]?.toFixed(1)} at work on the machine.`,
    )
  } finally {
    receiver.close()
    await Promise.all([some.stop(), none.stop()])
  }
}

const auth = (token: string) => ({ authorization: `Bearer ${token}` })

async function post(
  backend: Backend,
  token: string,
  path: string,
  body: object,
): Promise<{ id: string }> {
  const response = await fetch(backend.url + path, {
    method: "POST",
    headers: { ...auth(token), "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  if (response.status !== 201) throw new Error(`${path}: ${await response.text()}`)
  return response.json()
}

const create = (backend: Backend, token: string) =>
  post(backend, token, "/records/notes", { title: "A note" })

const listen = async (backend: Backend, token: string, url: string): Promise<string> =>
  (
    await post(backend, token, "/webhooks/endpoints", {
      url,
      events: ["notes.created"],
      ratePerSecond: 100,
    })
  ).id

type Sides = readonly (readonly [backend: Backend, token: string, listening: number])[]

const printLatencies = (what: string, [heard, unheard]: readonly number[]): void =>
  console.log(
    `${what}: median ${heard?.toFixed(1)} ms where ${endpoints} endpoints hear of each, ${unheard?.toFixed(1)} ms where none does: ratio ${((unheard ?? 0) / (heard ?? 0)).toFixed(2)} (goal 0.95).`,
  )

/** Each side first in every other round. */
const inTurn = (sides: Sides, round: number) => {
  const entries = [...sides.entries()]
  return round % 2 === 0 ? entries : entries.toReversed()
}

/**
 * Milliseconds of a create, the medians of both sides; to and fro, each when nothing is left to do for the one before it:
 * what endpoints add to a write itself.
 */
async function latenciesAlone(sides: Sides, receiver: Receiver): Promise<number[]> {
  const all = sides.map((): number[] => [])
  for (let n = -5; n < alone; n++) {
    for (const [side, [backend, token, listening]] of inTurn(sides, n)) {
      const before = receiver.count()
      const sent = performance.now()
      await create(backend, token)
      // The first warm up.
      if (n >= 0) all[side]?.push(performance.now() - sent)
      await receiver.until(before + listening)
      await recorded(backend)
    }
  }
  return all.map(median)
}

/** A receiver has its event before what became of it is written, which takes as much of the machine as the sending. */
async function recorded({ database }: Backend): Promise<void> {
  const open =
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM webhook_deliveries WHERE finishedAt IS NULL) OR EXISTS (SELECT 1 FROM change_followers WHERE seq < (SELECT max(seq) FROM changes))"
  while ((await database.prepare(open).all()).results.length > 0) await sleep(20)
  await sleep(100)
}

/** The same at a steady rate, so that writes wait beside the deliveries of those before them. */
async function latenciesAtRate(sides: Sides, receiver: Receiver): Promise<number[]> {
  const all = sides.map((): number[] => [])
  for (let round = 0; round <= rounds; round++) {
    for (const [side, [backend, token, listening]] of inTurn(sides, round)) {
      const before = receiver.count()
      const { latencies } = await load(backend.url, takeTurns([createRequest(token)]), steady)
      await receiver.until(before + latencies.length * listening)
      await recorded(backend)
      // The first warms up.
      if (round > 0) all[side]?.push(...latencies)
    }
  }
  return all.map(median)
}

/** Of creates a second; each side first in every other round, so that whatever else the machine does falls on both. */
async function ratio(some: Backend, none: Backend, token: string): Promise<number> {
  const heard = { backend: some, request: createRequest(token), speed: 0 }
  const unheard = { backend: none, request: createRequest(await none.signIn()), speed: 0 }
  const ratios: number[] = []
  for (let round = 0; round <= saturated; round++) {
    for (const side of round % 2 === 0 ? [heard, unheard] : [unheard, heard]) {
      const { answers, seconds } = await load(side.backend.url, takeTurns([side.request]), slice)
      side.speed = answers / seconds
      // What it leaves to be delivered must not be taken from the other side's time.
      await recorded(side.backend)
    }
    // The first warms up.
    if (round > 0) ratios.push(heard.speed / unheard.speed)
  }
  return median(ratios)
}

const createRequest = (token: string): Buffer =>
  makeRequest("/records/notes", { method: "POST", token, body: { title: "A note" } })

type Receiver = Awaited<ReturnType<typeof startReceiver>>

async function startReceiver() {
  let last: Received = { count: 0, at: 0 }
  const child = fork(new URL("./receiver.ts", import.meta.url))
  const [{ port }] = (await once(child, "message")) as [{ port: number }]
  child.on("message", (told: Received) => {
    last = told
  })
  return {
    url: `http://127.0.0.1:${port}/`,
    count: () => last.count,
    lastAt: () => last.at,
    async until(wanted: number): Promise<void> {
      while (last.count < wanted) await sleep(1)
    },
    close: () => child.disconnect(),
  }
}
