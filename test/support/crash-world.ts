import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** The world outside of the deployment, which no kill reaches: it remembers what was done, as often as it was. */
export interface World {
  readonly url: string
  /** How often a turn was packed, and how often it departed. */
  readonly packed: ReadonlyMap<number, number>
  readonly departed: ReadonlyMap<number, number>
  /** Turns that were packed once more after they had departed, for which packing has to be kept. */
  readonly packedAgain: readonly number[]
  close(): void
}

/** Answers `POST /packed/<turn>` and `POST /departed/<turn>`, on the loopback interface. */
export async function startWorld(): Promise<World> {
  const packed = new Map<number, number>()
  const departed = new Map<number, number>()
  const packedAgain: number[] = []
  const server = createServer((request, response) => {
    const [, what, text] = (request.url as string).split("/")
    const turn = Number(text)
    const counts = what === "packed" ? packed : departed
    const count = (counts.get(turn) ?? 0) + 1
    counts.set(turn, count)
    if (what === "packed" && departed.has(turn)) packedAgain.push(turn)
    response.end(String(count))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    packed,
    departed,
    packedAgain,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
