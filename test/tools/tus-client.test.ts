import { createCipheriv, createHash, randomBytes } from "node:crypto"
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { Upload } from "tus-js-client"
import { afterAll, expect, test } from "vitest"
import { residentMegabytes } from "../../src/tools/bench/background.ts"
import { bundleWorker } from "../../src/tools/bundle.ts"
import { startCrashServer } from "../support/crash-server.ts"
import { signUpAndIn } from "../support/crash-sign-in.ts"
import { startCuttingProxy } from "../support/cutting-proxy.ts"

const { TUS: scale } = process.env
const sizeBytes = scale === "full" ? 1_073_741_825 : 100_000_001
const chunkBytes = scale === "full" ? 90_000_000 : 30_000_000
const cuts = 10

const directory = mkdtempSync(join(tmpdir(), "tus-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test(`tus-js-client sends ${sizeBytes} bytes over a line that is cut ${cuts} times`, async () => {
  const file = join(directory, "content")
  const sha256 = await writeNoise(file)
  const bundle = await bundleWorker("test/support/crash-worker.ts", join(directory, "bundle"))
  const server = await startCrashServer(bundle, join(directory, "state"), "")
  const cutsAt = Array.from({ length: cuts }, () => Math.random() * sizeBytes).map(Math.floor)
  cutsAt.sort((a, b) => a - b)
  console.log(`cut at ${cutsAt.join(", ")}`)
  const proxy = await startCuttingProxy(server.url, cutsAt)
  const memory = watchMemory(server.processId())
  try {
    const token = await signUpAndIn(server.url)
    const started = performance.now()
    const { url, sent } = await upload(file, `${proxy.url}/files/uploads`, token)
    const seconds = (performance.now() - started) / 1_000
    expect(proxy.cuts()).toBe(cuts)
    const id = url.split("/").at(-1)
    const peak = memory.stop()
    const authorization = `Bearer ${token}`
    const listed = await fetch(`${server.url}/files`, { headers: { authorization } })
    console.log(
      `${sizeBytes} bytes in ${seconds.toFixed(1)} s, cut at ${cutsAt.join(", ")}; ${sent} were sent; workerd held ${memory.before} MB before and ${peak} MB at most meanwhile`,
    )
    expect((await listed.json()) as object).toMatchObject({
      items: [{ id, sizeBytes, sha256, name: "content.bin", type: "application/octet-stream" }],
    })
    const back = await fetch(`${server.url}/files/${id}`, { headers: { authorization } })
    const hash = createHash("sha256")
    for await (const chunk of back.body as unknown as AsyncIterable<Uint8Array>) hash.update(chunk)
    expect(hash.digest("hex")).toBe(sha256)
  } finally {
    memory.stop()
    await proxy.stop()
    await server.stop()
  }
})

/** Until it has succeeded. Answers where it went, and how many bytes it says that it has sent. */
function upload(file: string, endpoint: string, token: string) {
  let [sent, last] = [0, 0]
  return new Promise<{ url: string; sent: number }>((resolve, reject) => {
    const one = new Upload(createReadStream(file), {
      endpoint,
      chunkSize: chunkBytes,
      headers: { authorization: `Bearer ${token}` },
      metadata: { filename: "content.bin", filetype: "application/x-noise" },
      retryDelays: [0, 20, 100, 500],
      onProgress(bytes) {
        sent += Math.max(0, bytes - last)
        last = bytes
      },
      onError: reject,
      onSuccess: () => resolve({ url: one.url as string, sent }),
    })
    one.start()
  })
}

/** Bytes that do not repeat, so that whatever is put in a wrong place shows. Answers their SHA-256. */
async function writeNoise(file: string): Promise<string> {
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
  await pipeline(Readable.from(noise()), createWriteStream(file))
  return hash.digest("hex")
}

/** Of a process. `stop` answers what it held at most since then, in megabytes. */
function watchMemory(pid: number) {
  const before = residentMegabytes(pid)
  let peak = before
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMegabytes(pid))
  }, 50)
  return {
    before,
    stop() {
      clearInterval(timer)
      return peak
    },
  }
}
