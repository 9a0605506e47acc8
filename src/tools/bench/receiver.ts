import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/*
 * A fast receiver of webhooks, in a process of its own, so that what it does is not done by whoever measures. Tells its
 * parent where it is, and then, a few milliseconds after something came, how much has come by now, and when the last did.
 */

export interface Received {
  readonly count: number
  /** Milliseconds since the epoch, with fractions. */
  readonly at: number
}

const toldMilliseconds = 5

let count = 0
let at = 0
let telling = false

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    count += 1
    at = performance.timeOrigin + performance.now()
    response.writeHead(204).end()
    if (telling) return
    telling = true
    setTimeout(() => {
      telling = false
      process.send?.({ count, at } satisfies Received)
    }, toldMilliseconds)
  })
})
server.listen(0, "127.0.0.1", () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on("disconnect", () => process.exit())
