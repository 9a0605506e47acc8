import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"

const program = "test/support/crash-server.ts"
const kills = 12

let bundle: string
const state = mkdtempSync(join(tmpdir(), "crash-state-"))

beforeAll(() => {
  bundle = execFileSync(process.execPath, [program, state], { encoding: "utf8" })
    .trim()
    .split("\n")
    .at(-1) as string
})
afterAll(() => {
  rmSync(state, { recursive: true, force: true })
  rmSync(JSON.parse(bundle).directory, { recursive: true, force: true })
})

/** In a process group of its own: a kill takes workerd along, as a power cut would. */
async function start(): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [program, state, bundle], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("http")) return { url: line, child }
  }
  throw new Error("the server did not start")
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, "exit")
  process.kill(-(child.pid as number), "SIGKILL")
  await closed
}

async function* everything(
  url: string,
  collection: string,
): AsyncGenerator<Record<string, unknown>> {
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page = await fetch(
      `${url}/records/${collection}?limit=200${cursor && `&cursor=${cursor}`}`,
    )
    const { items, next } = (await page.json()) as {
      items: Record<string, unknown>[]
      next: string | null
    }
    yield* items
    cursor = next
  }
}

test(`killed ${kills} times amid writes: nothing acknowledged is lost, and each commit is followed up exactly once`, async () => {
  const acknowledged = new Set<string>()
  let number = 0
  for (let round = 0; round < kills; round++) {
    const { url, child } = await start()
    let alive = true
    const writers = Array.from({ length: 8 }, async () => {
      while (alive) {
        try {
          const made = await fetch(`${url}/records/errands`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ number: ++number }),
          })
          if (made.status === 201) acknowledged.add(((await made.json()) as { id: string }).id)
        } catch {
          // The connection died with the server: this write was never acknowledged.
        }
      }
    })
    // From before the first write has answered to well into the follow-up of many.
    await sleep(20 + Math.random() * 400)
    await kill(child)
    alive = false
    await Promise.all(writers)
  }

  const { url, child } = await start()
  try {
    const errands = (await Array.fromAsync(everything(url, "errands"))).map(
      ({ id }) => id as string,
    )
    expect(errands.length).toBeGreaterThan(kills)
    expect([...acknowledged].filter((id) => !errands.includes(id))).toEqual([])
    // Also those whose answer was lost on the way: what is committed is followed up.
    await expect
      .poll(async () => (await Array.fromAsync(everything(url, "receipts"))).length, {
        timeout: 60_000,
      })
      .toBe(errands.length)
    const receipts = await Array.fromAsync(everything(url, "receipts"))
    expect(new Set(receipts.map(({ errand }) => errand))).toEqual(new Set(errands))
  } finally {
    await kill(child)
  }
}, 240_000)
