import { afterEach, expect, test, vi } from "vitest"
import { createClient } from "../../src/client/client.ts"
import { answers, fails, fakeServer, refuses, tokens } from "./fake-server.ts"

const connect = (server: ReturnType<typeof fakeServer>) =>
  createClient({ url: "http://server.test/", fetch: server.fetch }).files

const stored = { id: "f1", name: "a b.txt", type: "text/plain", sizeBytes: 5 }
const hello = new File(["hello"], "a b.txt", { type: "text/plain" })

afterEach(() => vi.unstubAllGlobals())

test("a file is sent as it is, under its name, and its end is told", async () => {
  const server = fakeServer(answers(stored, {}, 201), answers(stored, {}, 201))
  const told: number[][] = []
  const onProgress = (...progress: number[]) => told.push(progress)
  expect(await connect(server).upload(hello, { onProgress })).toEqual(stored)
  expect(told).toEqual([[5, 5]])
  await connect(server).upload(new Blob(["x"]), { name: "ä.bin", for: "films.poster" })
  const [first, second] = server.sent
  expect([first?.method, first?.path]).toEqual(["POST", "/files?name=a+b.txt"])
  expect(first?.headers.get("content-type")).toBe("text/plain")
  expect(second?.path).toBe("/files?name=%C3%A4.bin&for=films.poster")
  expect(second?.headers.get("content-type")).toBe("application/octet-stream")
})

test("files are listed, read, linked and deleted", async () => {
  const server = fakeServer(
    answers({ items: [stored], next: null }),
    () => new Response("hello"),
    answers({ url: "/files/f1?link=x", expiresAt: "2026-11-29T00:00:00.000Z" }, {}, 201),
    answers(null, {}, 204),
  )
  const files = connect(server)
  expect((await files.list({ limit: 2 })).items).toEqual([stored])
  expect(await (await files.get("f1", { download: true, preset: "thumb" })).text()).toBe("hello")
  expect((await files.link("f1", 60)).url).toBe("http://server.test/files/f1?link=x")
  await files.delete("f1")
  expect(files.url("f1", { preset: "thumb" })).toBe("http://server.test/files/f1?preset=thumb")
  expect(server.sent.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "GET /files?limit=2",
    "GET /files/f1?download=true&preset=thumb",
    "POST /files/f1/links",
    "DELETE /files/f1",
  ])
  expect(server.sent[2]?.body).toEqual({ expiresInSeconds: 60 })
})

test("what is asked for without its content is asked again as a read is, and answered as it came", async () => {
  const server = fakeServer(
    refuses(503, "overloaded", { "retry-after": "0" }),
    () => new Response(null, { headers: { "content-length": "5" } }),
  )
  const client = createClient({ url: "http://server.test/", fetch: server.fetch })
  const answer = await client.open({ method: "HEAD", path: "/files/f1" })
  expect(answer.headers.get("content-length")).toBe("5")
  expect(server.sent.map(({ method }) => method)).toEqual(["HEAD", "HEAD"])
})

/** A browser's, which sends what it is given to a script, and tells of half of it first. */
function standIn(...script: ((request: Sent) => [status: number, body: unknown] | null)[]) {
  const sent: Sent[] = []
  class FakeRequest {
    upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {}
    onload?: () => void
    onerror?: () => void
    onabort?: () => void
    onloadend?: () => void
    withCredentials = false
    status = 0
    response: unknown
    readonly headers: Record<string, string> = {}
    line = ""
    open(method: string, url: string) {
      this.line = `${method} ${url}`
    }
    setRequestHeader(name: string, value: string) {
      this.headers[name] = value
    }
    getAllResponseHeaders() {
      return "content-type: application/json\r\nx-bookmark: mark: 1\r\n"
    }
    abort() {
      this.onabort?.()
      this.onloadend?.()
    }
    send(body: Blob) {
      sent.push({ line: this.line, headers: this.headers, body })
      this.upload.onprogress?.({ loaded: body.size / 2, total: body.size })
      const answer = script.shift()?.(sent.at(-1) as Sent)
      if (answer === null) return
      if (answer === undefined) this.onerror?.()
      else {
        this.status = answer[0]
        this.response = JSON.stringify(answer[1])
        this.onload?.()
      }
      this.onloadend?.()
    }
  }
  vi.stubGlobal("XMLHttpRequest", FakeRequest)
  return sent
}
interface Sent {
  line: string
  headers: Record<string, string>
  body: Blob
}

test("in a browser, progress is told while it is sent, and what is seen afterwards goes along", async () => {
  const sent = standIn(() => [201, stored])
  const server = fakeServer(answers({ items: [], next: null }))
  const files = connect(server)
  const told: number[][] = []
  await files.upload(hello, { onProgress: (...progress) => told.push(progress) })
  expect(told).toEqual([
    [2.5, 5],
    [5, 5],
  ])
  expect(sent[0]?.line).toBe("POST http://server.test/files?name=a+b.txt")
  expect(sent[0]?.body).toBe(hello)
  await files.list()
  expect(server.sent[0]?.headers.get("x-bookmark")).toBe("mark: 1")
})

test("in a browser, too, a session that has run out is renewed, and a refusal is a problem", async () => {
  const problem = (status: number, code: string) =>
    [status, { code, title: code }] as [number, object]
  const sent = standIn(
    () => problem(401, "token_expired"),
    () => problem(413, "quota_exceeded"),
  )
  const server = fakeServer(tokens(1), tokens(2))
  const client = createClient({ url: "http://server.test", fetch: server.fetch })
  await client.auth.signIn({ email: "alice@example.org", password: "x" })
  const sending = client.files.upload(hello, { onProgress: () => {} })
  await expect(sending).rejects.toMatchObject({ status: 413, code: "quota_exceeded" })
  expect(sent.map(({ headers }) => headers.authorization)).toEqual([
    "Bearer access-1",
    "Bearer access-2",
  ])
})

test("in a browser, an upload is ended by its signal, and a server that is not there is unreachable", async () => {
  const sent = standIn(() => null)
  const files = connect(fakeServer())
  const stop = new AbortController()
  const ended = files.upload(hello, { onProgress: () => {}, signal: stop.signal })
  await vi.waitFor(() => expect(sent).toHaveLength(1))
  stop.abort(new Error("enough"))
  await expect(ended).rejects.toThrow("enough")
  const lost = files.upload(hello, { onProgress: () => {} })
  await expect(lost).rejects.toMatchObject({ code: "unreachable" })
})

test("what is refused without progress is a problem as well", async () => {
  const files = connect(fakeServer(refuses(413, "payload_too_large")))
  await expect(files.upload(hello)).rejects.toMatchObject({ code: "payload_too_large" })
})

/** Of 40 MB: three pieces. */
const large = new File([new Uint8Array(40 * 2 ** 20)], "ä.mp4", { type: "video/mp4" })
const at = (offset: number, status = 204) =>
  answers(null, { "upload-offset": String(offset) }, status)
const created = answers({}, { location: "/files/uploads/u1" }, 201)

test("a large file goes in pieces, and goes on where the server says that it broke off", async () => {
  vi.useFakeTimers()
  const server = fakeServer(
    created,
    at(16 * 2 ** 20),
    fails,
    at(20 * 2 ** 20, 200),
    at(36 * 2 ** 20),
    refuses(503, "overloaded"),
    at(36 * 2 ** 20, 200),
    at(40 * 2 ** 20),
    answers(stored, {}, 201),
  )
  const told: number[] = []
  const onProgress = (sent: number, total: number) => {
    expect(total).toBe(large.size)
    told.push(sent / 2 ** 20)
  }
  const sending = connect(server).upload(large, { for: "films.trailer", onProgress })
  await vi.runAllTimersAsync()
  vi.useRealTimers()
  expect(await sending).toEqual(stored)
  expect(told).toEqual([16, 36, 40])
  expect(server.sent.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "POST /files/uploads",
    "PATCH /files/uploads/u1",
    "PATCH /files/uploads/u1",
    "HEAD /files/uploads/u1",
    "PATCH /files/uploads/u1",
    "PATCH /files/uploads/u1",
    "HEAD /files/uploads/u1",
    "PATCH /files/uploads/u1",
    "POST /files/u1/completion",
  ])
  const [first] = server.sent
  expect(first?.headers.get("upload-length")).toBe(String(large.size))
  expect(first?.headers.get("upload-metadata")).toBe(
    "filename w6QubXA0,filetype dmlkZW8vbXA0,for ZmlsbXMudHJhaWxlcg==",
  )
  const offsets = server.sent.map(({ headers }) => headers.get("upload-offset"))
  expect(offsets.filter(Boolean).map((offset) => Number(offset) / 2 ** 20)).toEqual([
    0, 16, 20, 36, 36,
  ])
  expect(
    server.sent.every(
      ({ path, headers }) =>
        path.endsWith("completion") || headers.get("tus-resumable") === "1.0.0",
    ),
  ).toBe(true)
})

test("a large file that is refused is refused at once, and one that is ended leaves nothing", async () => {
  const refusing = fakeServer(created, refuses(415, "unsupported_media_type"))
  await expect(connect(refusing).upload(large)).rejects.toMatchObject({ status: 415 })
  const stop = new AbortController()
  const ended = fakeServer(
    created,
    () => {
      stop.abort(new Error("enough"))
      return Promise.reject(stop.signal.reason)
    },
    answers(null, {}, 204),
  )
  const sending = connect(ended).upload(large, { signal: stop.signal })
  await expect(sending).rejects.toThrow("enough")
  expect(ended.sent.at(-1)).toMatchObject({ method: "DELETE", path: "/files/uploads/u1" })
})
