import { once } from "node:events"
import { createServer } from "node:net"

/** A port that nobody listens on just now, for whoever has to know its address before it starts. */
export async function freePort(): Promise<number> {
  const listening = createServer().listen(0, "127.0.0.1")
  await once(listening, "listening")
  const { port } = listening.address() as { port: number }
  listening.close()
  return port
}
