import type { Blobs } from "../../platform/blobs.ts"
import { hexOf, keptBytes, type Received, workerCrypto } from "./receive.ts"

/**
 * What is to be known of content that is kept already, and came in a way in which nobody could look at all of it as it
 * passed: a digest that is under way does not outlive its process. Streamed; null when there is none.
 */
export async function reread(blobs: Blobs, key: string, size: number): Promise<Received | null> {
  const start = await beginningOf(blobs, key, size)
  const content = await blobs.read(key)
  if (!content || !start) return null
  const digest = new workerCrypto.DigestStream("SHA-256")
  await content.pipeTo(digest)
  return { start, sha256: hexOf(new Uint8Array(await digest.digest)) }
}

async function beginningOf(blobs: Blobs, key: string, size: number): Promise<Uint8Array | null> {
  // R2 has no range of nothing.
  if (size === 0) return new Uint8Array()
  const range = { offset: 0, length: Math.min(size, keptBytes) }
  const content = await blobs.read(key, range)
  return content && new Uint8Array(await new Response(content).arrayBuffer())
}
