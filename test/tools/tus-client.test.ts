import { createCipheriv, createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { createReadStream, createWriteStream, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { Upload } from "tus-js-client"
import { afterAll, beforeAll, expect, test } from "vitest"
import { residentMegabytes } from "../../src/tools/bench/background.ts"
import { bundleWorker } from "../../src/tools/bundle.ts"
import { type CrashServer, startCrashServer } from "../support/crash-server.ts"
import { signUpAndIn } from "../support/crash-sign-in.ts"
import { startCuttingProxy } from "../support/cutting-proxy.ts"
import { watchIsolate } from "../support/isolate-memory.ts"

/*
 * The production bundle on workerd itself, and a client of tus that nobody here wrote. `TUS=full` sends a gigabyte.
 */

const isFull = process.env.TUS === "full"
const sizeBytes = isFull ? 1_073_741_825 : 60_000_001
const chunkBytes = isFull ? 90_000_000 : 20_000_000
const cuts = 10
const isolateMegabytes = 128
const patience = isFull ? 1_200_000 : 240_000

const directory = mkdtempSync(join(tmpdir(), "tus-"))
const state = join(directory, "state")
const file = join(directory, "content")
let server: CrashServer
let token: string
let sha256: string
beforeAll(async () => {
  sha256 = await writeNoise(file)
  const bundle = await bundleWorker("test/support/crash-worker.ts", join(directory, "bundle"))
  server = await startCrashServer(bundle, state, "", { inspect: true })
  token = await signUpAndIn(server.url)
})
afterAll(async () => {
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const as = (headers: Record<string, string> = {}) => ({
  "tus-resumable": "1.0.0",
  authorization: `Bearer ${token}`,
  ...headers,
})

test(
  `tus-js-client sends ${sizeBytes} bytes over a line that is cut ${cuts} times`,
  async () => {
    const cutsAt = Array.from({ length: cuts }, () => Math.floor(Math.random() * sizeBytes))
    cutsAt.sort((a, b) => a - b)
    const proxy = await startCuttingProxy(server.url, cutsAt)
    const memory = watchMemory(server.processId())
    const isolate = await watchIsolate(await server.inspector())
    try {
      const started = performance.now()
      const { url, sent, peakWhileSending } = await upload(
        `${proxy.url}/files/uploads`,
        memory.peak,
      )
      const seconds = (performance.now() - started) / 1_000
      console.log(
        `${sizeBytes} bytes in ${seconds.toFixed(1)} s, cut at ${cutsAt.join(", ")}; ${sent} were sent; workerd, with what stands in for R2 and D1, held ${memory.before} MB before, ${peakWhileSending} at most while it was sent and ${memory.peak()} while it was read once more; the Worker's isolate ${isolate.before} MB before and ${isolate.peak()} at most, in ${isolate.looks()} looks`,
      )
      expect(proxy.cuts()).toBe(cuts)
      const id = url.split("/").at(-1) as string
      expect(await filesOf()).toMatchObject([
        { id, sizeBytes, sha256, name: "content.bin", type: "application/octet-stream" },
      ])
      expect(await hashOf(id)).toBe(sha256)
      // Cloudflare ends an isolate that holds more. Many looks, so that one in the middle of something is among them.
      expect(isolate.looks()).toBeGreaterThan(20)
      expect(isolate.peak()).toBeLessThan(isolateMegabytes)
      const gone = await fetch(`${server.url}/files/uploads/${id}`, {
        method: "DELETE",
        headers: as(),
      })
      expect(gone.status).toBe(204)
      await expect.poll(heldByR2).toEqual({ objects: [], underWay: [] })
    } finally {
      memory.stop()
      isolate.stop()
      await proxy.stop()
    }
  },
  patience,
)

test("an upload whose server is killed goes on where it was, and what nobody goes on with leaves nothing", async () => {
  const size = 30_000_000
  const content = new Uint8Array(size).map((_, i) => (i * 7) % 251)
  const [kept, lost] = [await begin(size), await begin(size)]
  for (const id of [kept, lost])
    expect((await append(id, 0, content.subarray(0, 10_000_000))).status).toBe(204)
  const broken = [kept, lost].map((id) => {
    const sent = request(`${server.url}/files/uploads/${id}`, {
      method: "PATCH",
      headers: as({ ...chunkAt(10_000_000), "content-length": "20000000" }),
    })
    sent.on("error", () => {})
    return sent
  })
  // Both are in the middle of a chunk: of what is written last, nobody knows how much has arrived.
  for (const sent of broken) {
    if (!sent.write(content.subarray(10_000_000, 25_000_000))) await once(sent, "drain")
  }
  await server.kill()

  const offset = Number(await offsetOf(kept))
  expect(offset).toBeGreaterThanOrEqual(10_000_000)
  expect(offset).toBeLessThanOrEqual(25_000_000)
  expect((await append(kept, offset, content.subarray(offset))).status).toBe(204)
  expect(await hashOf(kept)).toBe(createHash("sha256").update(content).digest("hex"))
  expect(await filesOf()).toMatchObject([{ id: kept, sizeBytes: size }])

  expect(await offsetOf(lost)).toBeGreaterThanOrEqual(10_000_000)
  expect(heldByR2()).toEqual({ objects: [`files/${kept}`], underWay: [`files/${lost}`] })
  const swept = await fetch(`${server.url}/expiries`, { method: "POST" })
  expect(await swept.json()).toEqual({ files: 1 })
  expect(await offsetOf(lost)).toBeNull()
  expect(heldByR2()).toEqual({ objects: [`files/${kept}`], underWay: [] })
})

const chunkAt = (offset: number) => ({
  "content-type": "application/offset+octet-stream",
  "upload-offset": String(offset),
})

async function begin(size: number): Promise<string> {
  const answer = await fetch(`${server.url}/files/uploads`, {
    method: "POST",
    headers: as({ "upload-length": String(size) }),
  })
  return answer.headers.get("location")?.split("/").at(-1) as string
}

const append = (id: string, offset: number, body: Uint8Array<ArrayBuffer>) =>
  fetch(`${server.url}/files/uploads/${id}`, {
    method: "PATCH",
    headers: as(chunkAt(offset)),
    body,
  })

/** Null where there is no such upload. */
async function offsetOf(id: string): Promise<number | null> {
  const answer = await fetch(`${server.url}/files/uploads/${id}`, { method: "HEAD", headers: as() })
  return answer.ok ? Number(answer.headers.get("upload-offset")) : null
}

async function filesOf(): Promise<object[]> {
  const answer = await fetch(`${server.url}/files`, { headers: as() })
  return ((await answer.json()) as { items: object[] }).items
}

async function hashOf(id: string): Promise<string> {
  const { body } = await fetch(`${server.url}/files/${id}`, { headers: as() })
  const hash = createHash("sha256")
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) hash.update(chunk)
  return hash.digest("hex")
}

/** What R2 has: keys of objects, and of those whose parts have neither been joined nor abandoned. */
function heldByR2(): { objects: string[]; underWay: string[] } {
  const places = readdirSync(join(state, "v3"), { recursive: true, withFileTypes: true })
    .filter(({ name, parentPath }) => /r2/i.test(parentPath) && name.endsWith(".sqlite"))
    .map(({ name, parentPath }) => join(parentPath, name))
  const keys = (query: string): string[] =>
    places.flatMap((place) => {
      const database = new DatabaseSync(place, { readOnly: true })
      try {
        return database
          .prepare(query)
          .all()
          .map(({ key }) => String(key))
      } catch (error) {
        // Of the simulator's own.
        if (String(error).includes("no such table")) return []
        throw error
      } finally {
        database.close()
      }
    })
  return {
    objects: keys("SELECT key FROM _mf_objects"),
    underWay: keys("SELECT key FROM _mf_multipart_uploads WHERE state = 0"),
  }
}

/** Until it has succeeded. Answers where it went, how many bytes it says that it has sent, and the peak by then. */
function upload(endpoint: string, peak: () => number) {
  let [sent, last, peakWhileSending] = [0, 0, 0]
  return new Promise<{ url: string; sent: number; peakWhileSending: number }>((resolve, reject) => {
    const one = new Upload(createReadStream(file), {
      endpoint,
      chunkSize: chunkBytes,
      headers: { authorization: `Bearer ${token}` },
      metadata: { filename: "content.bin", filetype: "application/x-noise" },
      retryDelays: [0, 20, 100, 500],
      onProgress(bytes) {
        sent += Math.max(0, bytes - last)
        last = bytes
        if (bytes < sizeBytes) peakWhileSending = peak()
      },
      onError: reject,
      onSuccess: () => resolve({ url: one.url as string, sent, peakWhileSending }),
    })
    one.start()
  })
}

/** Bytes that do not repeat, so that whatever is put in a wrong place shows. Answers their SHA-256. */
async function writeNoise(path: string): Promise<string> {
  const cipher = createCipheriv("aes-128-ctr", randomBytes(16), randomBytes(16))
  const zeros = Buffer.alloc(2 ** 20)
  const hash = createHash("sha256")
  const noise = function* () {
    for (let left = sizeBytes; left > 0; left -= zeros.length) {
      const bytes = cipher.update(zeros.subarray(0, Math.min(left, zeros.length)))
      hash.update(bytes)
      yield bytes
    }
  }
  await pipeline(Readable.from(noise()), createWriteStream(path))
  return hash.digest("hex")
}

/** Of a process: what it holds, and has held at most, in megabytes. */
function watchMemory(pid: number) {
  const before = residentMegabytes(pid)
  let peak = before
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMegabytes(pid))
  }, 50)
  return { before, peak: () => peak, stop: () => clearInterval(timer) }
}
