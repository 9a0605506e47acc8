import { env } from "cloudflare:workers"
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { scanFile } from "../../../src/core/files/scan-job.ts"
import type { JobRun } from "../../../src/core/jobs/job.ts"
import { parseSettings } from "../../../src/platform/settings.ts"
import { callAt } from "../../support/deployment.ts"
import { hush } from "../../support/hush.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { toolApp } from "../identity/cast.ts"
import {
  type Content,
  contentOf,
  fetchFile,
  kept,
  query,
  read,
  refused,
  sendTo,
  sweepAt,
} from "./cast.ts"
import { png, red } from "./pictures.ts"

/** In two pieces, so that no scanner finds it here. */
const eicar = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"].join("")

let alice: Person
beforeAll(async () => {
  hush("info", "warn", "error")
  alice = await signedIn("alice")
})
afterEach(() => vi.unstubAllGlobals())

/** Whose jobs nobody starts but the test. */
const scanning = (more: object = {}) => ({
  ...env,
  JOB_DISPATCHER: undefined,
  FILE_SCANNER: "eicar",
  ...more,
})
const http = {
  FILE_SCANNER: "http",
  FILE_SCANNER_URL: "https://scanner.example.com/scanHandlerBody",
  FILE_SCANNER_TOKEN: "the-secret-of-the-scanner",
}

const get = (deployment: object, path: string) => callAt(deployment, alice, "GET", path)

const store = (deployment: object, content: Content, name = "mine.txt") =>
  read<StoredFile>(sendTo(deployment, alice, content, {}, `?name=${name}`), 201)

/** What waits for the dispatcher, done here. */
async function runScans(deployment: object): Promise<number> {
  const rows = await query(
    "SELECT payload FROM jobs WHERE name = 'files.scan' AND state = 'waiting'",
  )
  const app = toolApp(deployment)
  for (const { payload } of rows) {
    const run = { app, payload: JSON.parse(payload as string), signal: AbortSignal.timeout(60_000) }
    await scanFile.options.run(run as unknown as JobRun<{ file: string }>, undefined as never)
    await query("DELETE FROM jobs WHERE name = 'files.scan' AND payload = ?", payload)
  }
  return rows.length
}

const scanOf = async (id: string) =>
  (await query("SELECT scan FROM files WHERE id = ?", id))[0]?.scan

describe("a file, where somebody looks for malware", () => {
  test("is held until somebody has looked, and then read as ever", async () => {
    const file = await store(scanning(), "harmless")
    expect(file.scan).toBe("pending")
    const answer = await get(scanning(), `/files/${file.id}`)
    expect(answer.headers.get("retry-after")).toBe("5")
    expect(await refused(answer, 409)).toBe("file_unscanned")
    expect(await runScans(scanning())).toBe(1)
    expect(await contentOf(get(scanning(), `/files/${file.id}`))).toEqual(
      new TextEncoder().encode("harmless"),
    )
    const page = await read<{ items: { id: string; scan: string }[] }>(
      get(scanning(), "/files"),
      200,
    )
    expect(page.items.find(({ id }) => id === file.id)?.scan).toBe("clean")
  })

  test("may be read meanwhile, where the deployment says so", async () => {
    const readable = scanning({ FILE_SCAN_PENDING: "readable" })
    const file = await store(readable, "harmless")
    expect((await get(readable, `/files/${file.id}`)).status).toBe(200)
    await runScans(readable)
  })

  test.each<[what: string, content: Content]>([
    ["as it is", eicar],
    ["with spaces behind it", `${eicar}  \r\n`],
  ])(
    "that is infected, %s, is read by nobody on any way, and its owner is told once",
    async (_, content) => {
      const readable = scanning({ FILE_SCAN_PENDING: "readable" })
      const file = await store(readable, content, "invoice.txt")
      const { url } = await read<{ url: string }>(
        call(alice, "POST", `/files/${file.id}/links`, {}),
        201,
      )
      await runScans(readable)
      expect(await scanOf(file.id)).toBe("infected")
      expect(await refused(fetchFile(alice, file.id), 403)).toBe("file_infected")
      expect((await fetchFile(alice, file.id, {}, "HEAD")).status).toBe(403)
      expect(await refused(fetchFile(alice, file.id, { range: "bytes=0-3" }), 403)).toBe(
        "file_infected",
      )
      const known = { "if-none-match": `"${file.sha256}"` }
      expect(await refused(fetchFile(alice, file.id, known), 403)).toBe("file_infected")
      expect(await refused(call(null, "GET", url), 403)).toBe("file_infected")
      const mails = await query(
        "SELECT recipient, text FROM mails WHERE cause = ?",
        `file-infected/${file.id}`,
      )
      expect(mails).toMatchObject([{ recipient: alice.id }])
      expect(mails[0]?.text).toContain("invoice.txt")
      expect(await kept()).toContain(file.id)
      expect((await call(alice, "DELETE", `/files/${file.id}`)).status).toBe(204)
      expect(await kept()).not.toContain(file.id)
    },
  )

  test("that is an image is not given out in another size either", async () => {
    const file = await store(scanning(), await png(4, 4, () => red), "picture.png")
    expect(await refused(get(scanning(), `/files/${file.id}?preset=thumb`), 409)).toBe(
      "file_unscanned",
    )
    await query("UPDATE files SET scan = 'infected' WHERE id = ?", file.id)
    expect(await refused(get(env, `/files/${file.id}?preset=thumb`), 403)).toBe("file_infected")
    await query("DELETE FROM jobs WHERE name = 'files.scan'")
  })

  test("is the test file alone, where that alone is known", async () => {
    const about = await store(scanning(), `About ${eicar}`)
    const longer = await store(scanning(), eicar.padEnd(129))
    const nothing = await store(scanning(), "")
    await runScans(scanning())
    expect(await Promise.all([about, longer, nothing].map(({ id }) => scanOf(id)))).toEqual(
      Array(3).fill("clean"),
    )
  })

  test("that is deleted, or was never to be scanned, is nobody's concern", async () => {
    const gone = await store(scanning(), eicar)
    expect((await call(alice, "DELETE", `/files/${gone.id}`)).status).toBe(204)
    expect(await runScans(scanning())).toBe(1)
    const plain = await store({ ...env, JOB_DISPATCHER: undefined }, eicar)
    expect(plain.scan).toBeNull()
    expect(await runScans(scanning())).toBe(0)
  })

  test("that waits where the deployment has stopped looking is held no longer", async () => {
    const file = await store(scanning(), "harmless")
    await runScans({ ...env, JOB_DISPATCHER: undefined })
    expect(await scanOf(file.id)).toBeNull()
  })
})

describe("a scanner that is a service", () => {
  const answering = (status: number) => {
    const calls: { url: string; headers: Headers; body: string }[] = []
    vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
      const body = await new Response(init.body).text()
      calls.push({ url: String(url), headers: new Headers(init.headers), body })
      return new Response("{}", { status })
    })
    return calls
  }

  test.each([
    [200, "clean", "harmless"],
    [406, "infected", eicar],
    [413, "unknown", "too large for it"],
  ])("that answers %i says that it is %s", async (status, scan, content) => {
    const calls = answering(status)
    const file = await store(scanning(http), content)
    await runScans(scanning(http))
    expect(await scanOf(file.id)).toBe(scan)
    expect(calls).toMatchObject([{ url: http.FILE_SCANNER_URL, body: content }])
    expect(calls[0]?.headers.get("authorization")).toBe(`Bearer ${http.FILE_SCANNER_TOKEN}`)
    expect(calls[0]?.headers.get("content-type")).toBe("application/octet-stream")
  })

  test("that will not look at a file leaves it held for good, unless what waits is readable", async () => {
    answering(422)
    const file = await store(scanning(http), "unprocessable")
    await runScans(scanning(http))
    const answer = await get(scanning(http), `/files/${file.id}`)
    expect(answer.headers.get("retry-after")).toBeNull()
    expect(await read(answer, 409)).toMatchObject({
      code: "file_unscanned",
      detail: "The malware scanner would not look at it, nor will it.",
    })
    const readable = scanning({ ...http, FILE_SCAN_PENDING: "readable" })
    expect((await get(readable, `/files/${file.id}`)).status).toBe(200)
    await sweepAt(Date.now())
    expect(await runScans(scanning(http))).toBe(0)
  })

  test("has longer for what is larger, as long as a job may take", async () => {
    answering(200)
    const timeout = vi.spyOn(AbortSignal, "timeout")
    for (const [size, milliseconds] of [
      [8, 241_000],
      [2_000_000_000, 640_000],
      [80_000_000_000, 820_000],
    ] as const) {
      const file = await store(scanning(http), "harmless")
      await query("UPDATE files SET size = ? WHERE id = ?", size, file.id)
      await runScans(scanning(http))
      expect(timeout).toHaveBeenCalledWith(milliseconds)
      await query("UPDATE files SET size = 8 WHERE id = ?", file.id)
    }
    timeout.mockRestore()
    expect(scanFile.options.timeoutSeconds).toBe(840)
  })

  test("that was away for longer than a job tries, is asked again by the sweep", async () => {
    const file = await store(scanning(http), "harmless")
    const jobs = () => query("SELECT id, state FROM jobs WHERE key = ?", file.id)
    const [live] = await jobs()
    await sweepAt(Date.now())
    expect(await jobs()).toEqual([live])
    const ended = "UPDATE jobs SET state = 'dead', finishedAt = createdAt WHERE key = ?"
    await query(ended, file.id)
    await sweepAt(Date.now())
    expect(await jobs()).toEqual([
      { id: expect.not.stringMatching(String(live?.id)), state: "waiting" },
    ])
    answering(200)
    await runScans(scanning(http))
    expect(await scanOf(file.id)).toBe("clean")
    await sweepAt(Date.now())
    expect(await jobs()).toEqual([])
  })

  test("that does not answer leaves the file held, and is asked again by the job's next attempt", async () => {
    answering(500)
    const file = await store(scanning(http), "harmless")
    await expect(runScans(scanning(http))).rejects.toThrow("500")
    expect(await scanOf(file.id)).toBe("pending")
    answering(200)
    await runScans(scanning(http))
    expect(await scanOf(file.id)).toBe("clean")
  })

  test("has to be told where it is", () => {
    expect(() => parseSettings({ ...env, FILE_SCANNER: "http" })).toThrow("Variables")
    expect(parseSettings({ ...env, ...http }).files.scanner.url).toBe(http.FILE_SCANNER_URL)
  })
})
