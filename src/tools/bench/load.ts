import { once } from "node:events"
import { connect, type Socket } from "node:net"

/** What came back. Latencies are milliseconds, one for each answer, in no order. */
export interface Load {
  readonly answers: number
  readonly seconds: number
  readonly latencies: readonly number[]
  /** Number of answers by status. */
  readonly statuses: ReadonlyMap<number, number>
}

export interface LoadOptions {
  connections: number
  seconds: number
  /** Requests are sent no faster than this; as fast as answers come when absent. */
  requestsPerSecond?: number
}

/**
 * Keeps `connections` sockets to `origin` busy, one request at a time on each. Raw sockets and requests made beforehand,
 * so that the client takes little of the machine that it shares with the server. Waits for the last answers.
 *
 * @throws {Error} when the server closes a connection or answers what is no HTTP/1.1.
 */
export async function load(
  origin: string,
  nextRequest: () => Buffer,
  { connections, seconds, requestsPerSecond = Number.POSITIVE_INFINITY }: LoadOptions,
): Promise<Load> {
  const { hostname, port } = new URL(origin)
  const sockets = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true })
      await once(socket, "connect")
      return socket
    }),
  )
  const latencies: number[] = []
  const statuses = new Map<number, number>()
  const started = performance.now()
  const end = started + seconds * 1_000
  let sent = 0
  const mayGo = (now: number) => sent < ((now - started) / 1_000) * requestsPerSecond

  await Promise.all(sockets.map((socket) => keepBusy(socket)))
  const elapsed = (performance.now() - started) / 1_000
  for (const socket of sockets) socket.destroy()
  return { answers: latencies.length, seconds: elapsed, latencies, statuses }

  function keepBusy(socket: Socket): Promise<void> {
    return new Promise((resolve, reject) => {
      let sentAt = 0
      let pending: Buffer | null = null
      const send = () => {
        const now = performance.now()
        if (now >= end) return resolve()
        if (!mayGo(now)) return void setTimeout(send, 1)
        sent++
        sentAt = now
        socket.write(nextRequest())
      }
      socket.on("data", (chunk: Buffer) => {
        const received: Buffer = pending ? Buffer.concat([pending, chunk]) : chunk
        const status = readAnswer(received)
        if (status === null) {
          pending = received
          return
        }
        pending = null
        latencies.push(performance.now() - sentAt)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        send()
      })
      socket.on("error", reject)
      socket.on("close", () => reject(new Error("The server closed a connection.")))
      send()
    })
  }
}

const headEnd = Buffer.from("\r\n\r\n")
const lastChunk = Buffer.from("\r\n0\r\n\r\n")

/** The status of the answer when all of it is there; null while some is missing. */
function readAnswer(received: Buffer): number | null {
  const end = received.indexOf(headEnd)
  if (end < 0) return null
  const head = received.toString("latin1", 0, end)
  if (!head.startsWith("HTTP/1.1 ")) throw new Error(`This is no answer: ${head}`)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) {
    return received.length >= end + 4 + Number(length) ? status : null
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    return received.subarray(-lastChunk.length).equals(lastChunk) ? status : null
  }
  return status
}

interface RequestOptions {
  method?: "GET" | "POST"
  token?: string
  body?: unknown
}

/** A request as bytes. */
export function makeRequest(
  path: string,
  { method = "GET", token, body }: RequestOptions = {},
): Buffer {
  const text = body === undefined ? "" : JSON.stringify(body)
  return Buffer.from(
    [
      `${method} ${path} HTTP/1.1`,
      "host: bench",
      ...(token ? [`authorization: Bearer ${token}`] : []),
      ...(body === undefined
        ? []
        : ["content-type: application/json", `content-length: ${Buffer.byteLength(text)}`]),
      "",
      text,
    ].join("\r\n"),
  )
}

/** Answers them one after the other, again and again. */
export function takeTurns(requests: readonly Buffer[]): () => Buffer {
  let next = 0
  return () => requests[next++ % requests.length] as Buffer
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)
