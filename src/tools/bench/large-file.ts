import { readFileSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { listProcesses } from "../dev-processes.ts"
import { type Backend, startBackend } from "./deployment.ts"

const megabytes = 100
const megabyte = 1_000_000
const bodyCharacters = 400

/**
 * A file as large as an upload may be, sent at once and imported in the background, then exported again: how long each takes,
 * and what the one workerd process holds at most meanwhile. That process is also the database and all Durable Objects, so
 * it is a bound from above of what the Worker's isolate needs, which may have 128 MB.
 */
export async function printLargeFile(): Promise<void> {
  const backend = await startBackend(0, { background: false, waiting: 0 })
  const memory = watchMemory()
  const told = (what: string, seconds: number, more = "") =>
    console.log(
      `${what.padEnd(28)}${seconds.toFixed(1).padStart(7)} s${String(memory.peak()).padStart(6)} MB of memory at most${more}`,
    )
  try {
    console.log(`\nA file of ${megabytes} MB, workerd begins with ${memory.now()} MB of memory`)
    const { headers, rows, seconds, id } = await upload(backend)
    told("upload", seconds, `, ${rows} rows`)
    told("import in the background", await finished(backend, headers, id, rows))
    const exported = await exportAll(backend, headers)
    told("export", exported.seconds, `, ${(exported.bytes / megabyte).toFixed(1)} MB`)
  } finally {
    memory.stop()
    await backend.stop()
  }
}

async function upload({ url, signIn }: Backend) {
  const headers = { authorization: `Bearer ${await signIn()}` }
  let rows = 0
  let bytes = 0
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const lines = [rows === 0 ? "title,body\r\n" : ""]
      for (let n = 0; n < 200; n++) {
        lines.push(
          `Note ${rows++},"${"It is long, as notes go. ".repeat(bodyCharacters / 25)}"\r\n`,
        )
      }
      const piece = encoder.encode(lines.join(""))
      bytes += piece.length
      controller.enqueue(piece)
      if (bytes > megabytes * megabyte - 2 * piece.length) controller.close()
    },
  })
  const started = performance.now()
  const answer = await fetch(`${url}/records/notes/import`, {
    method: "POST",
    headers: { ...headers, "content-type": "text/csv", prefer: "respond-async" },
    body,
    duplex: "half",
  } as RequestInit)
  if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`)
  const { id } = (await answer.json()) as { id: string }
  return { headers, rows, seconds: since(started), id }
}

async function finished(
  { url }: Backend,
  headers: Record<string, string>,
  id: string,
  rows: number,
): Promise<number> {
  const started = performance.now()
  for (;;) {
    const answer = await fetch(`${url}/bulk-operations/${id}`, { headers })
    const { state, created } = (await answer.json()) as { state: string; created: number }
    if (state === "succeeded" && created === rows) return since(started)
    if (state !== "running") throw new Error(`The import ${state} with ${created} of ${rows} rows.`)
    await sleep(200)
  }
}

async function exportAll({ url }: Backend, headers: Record<string, string>) {
  const started = performance.now()
  const answer = await fetch(`${url}/records/notes/export?format=csv`, { headers })
  let bytes = 0
  for await (const piece of answer.body ?? []) bytes += piece.byteLength
  if (bytes < megabytes * megabyte * 0.9)
    throw new Error(`The export broke off after ${bytes} bytes.`)
  return { seconds: since(started), bytes }
}

const since = (started: number): number => (performance.now() - started) / 1_000

/** Resident memory of the workerd that this process started, in MB; the peak is since it was last asked. */
function watchMemory() {
  const workerd = listProcesses().find(
    ({ parent, command }) => parent === process.pid && /workerd\S* serve /.test(command),
  )
  const now = (): number => {
    try {
      const status = readFileSync(`/proc/${workerd?.pid}/status`, "utf8")
      return Math.round(Number(/VmRSS:\s*(\d+)/.exec(status)?.[1]) / 1_000)
    } catch {
      // Only Linux tells.
      return Number.NaN
    }
  }
  let most = now()
  const timer = setInterval(() => {
    most = Math.max(most, now())
  }, 50)
  return {
    now,
    peak() {
      const peak = most
      most = now()
      return peak
    },
    stop: () => clearInterval(timer),
  }
}
