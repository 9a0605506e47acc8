import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface CuttingProxy {
  readonly url: string
  /** How often it has cut. */
  cuts(): number
  stop(): Promise<void>
}

/**
 * Passes on what is sent to a server on this machine, and breaks the connection off each time as many bytes have been sent to
 * it, over all connections, as the next of `cutsAt` says (ascending). Neither side is told more than that it is gone.
 */
export async function startCuttingProxy(
  target: string,
  cutsAt: readonly number[],
): Promise<CuttingProxy> {
  const { hostname: host, port } = new URL(target)
  const waiting = [...cutsAt]
  const sockets = new Set<Socket>()
  let passed = 0
  const server = createServer((client) => {
    const upstream = connect({ host, port: Number(port) })
    const both = [client, upstream]
    const end = () => {
      for (const socket of both) {
        sockets.delete(socket)
        socket.destroy()
      }
    }
    for (const socket of both) {
      sockets.add(socket)
      socket.on("error", end).on("close", end)
    }
    upstream.pipe(client)
    client.on("data", (bytes) => {
      const left = (waiting[0] ?? Number.POSITIVE_INFINITY) - passed
      passed += Math.min(left, bytes.length)
      if (bytes.length < left) {
        if (!upstream.write(bytes)) {
          client.pause()
          upstream.once("drain", () => client.resume())
        }
        return
      }
      waiting.shift()
      upstream.write(bytes.subarray(0, left), end)
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => cutsAt.length - waiting.length,
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
