import { env } from "cloudflare:workers"
import { createHash } from "node:crypto"
import { beforeAll, describe, expect, test } from "vitest"
import { fetchFrom } from "../../support/deployment.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { contentOf, fetchFile, query, read, refused, sha256Of, usageOf } from "./cast.ts"
import {
  append,
  ask,
  begin,
  chunk,
  countedBytes,
  idIn,
  metadataOf,
  offsetOf,
  tus,
} from "./tus-cast.ts"

let alice: Person
let bob: Person
beforeAll(async () => {
  hush("info", "warn")
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})

const mib = 2 ** 20
const someId = "019aa2c5-7d00-7000-8000-000000000001"

describe("what is spoken", () => {
  test.each(["", `/${someId}`])(
    "is told to anybody who asks: OPTIONS /files/uploads%s",
    async (path) => {
      const answer = await ask(null, "OPTIONS", path, { "tus-resumable": "0.2.2" })
      expect(answer.status).toBe(204)
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        "tus-resumable": "1.0.0",
        "tus-version": "1.0.0",
        "tus-extension": "creation,creation-with-upload,termination,expiration,checksum",
        "tus-max-size": "2000000000",
        "tus-checksum-algorithm": "sha1,sha256",
      })
    },
  )

  test.each(["POST", "HEAD", "PATCH", "DELETE"])(
    "%s in another version is refused",
    async (method) => {
      const path = method === "POST" ? "" : `/${someId}`
      for (const version of ["0.2.2", ""]) {
        const answer = await ask(alice, method, path, { "tus-resumable": version })
        expect(answer.status).toBe(412)
        expect(answer.headers.get("tus-version")).toBe("1.0.0")
        if (method !== "HEAD") expect(await refused(answer, 412)).toBe("tus_version_unsupported")
      }
    },
  )

  test("pages of allowed origins may say and read all of it, those of others nothing", async () => {
    const preflight = (origin: string) =>
      fetchFrom(
        { ...env, ALLOWED_ORIGINS: "https://app.example.com", ENVIRONMENT: "production" },
        tus(null, "OPTIONS", `/${someId}`, { origin, "access-control-request-method": "PATCH" }),
      )
    const allowed = (await preflight("https://app.example.com")).headers
    expect(allowed.get("access-control-allow-methods")).toContain("PATCH")
    const listed = (name: string) => allowed.get(name)?.toLowerCase().split(", ")
    for (const name of [
      "tus-resumable",
      "upload-length",
      "upload-offset",
      "upload-metadata",
      "upload-checksum",
    ]) {
      expect(listed("access-control-allow-headers")).toContain(name)
    }
    for (const name of [
      "tus-resumable",
      "tus-version",
      "tus-extension",
      "tus-max-size",
      "tus-checksum-algorithm",
      "upload-offset",
      "upload-length",
      "upload-metadata",
      "upload-expires",
      "location",
    ]) {
      expect(listed("access-control-expose-headers")).toContain(name)
    }
    const others = (await preflight("https://evil.example")).headers
    expect(others.get("access-control-allow-origin")).toBeNull()
    expect(others.get("access-control-allow-headers")).toBeNull()
  })
})

describe("an upload", () => {
  test("begins, goes on and becomes a file that is what was sent", async () => {
    const content = "name,year\nStalker,1979\n"
    const metadata = `${metadataOf({ filename: "../films.csv", filetype: "text/csv" })},relaxed`
    const begun = await ask(alice, "POST", "", {
      "upload-length": String(content.length),
      "upload-metadata": metadata,
    })
    expect(begun.status).toBe(201)
    expect(costOf(begun).trips).toBe(1)
    const location = begun.headers.get("location")
    const id = idIn(begun)
    expect(location).toBe(`/files/uploads/${id}`)
    const expiry = Date.parse(begun.headers.get("upload-expires") as string)
    expect(Math.abs(expiry - Date.now() - 24 * 3_600_000)).toBeLessThan(60_000)

    expect(await offsetOf(alice, id)).toBe(0)
    expect(await refused(fetchFile(alice, id), 404)).toBe("not_found")
    const first = await append(alice, id, 0, content.slice(0, 5))
    expect(first.status).toBe(204)
    expect(costOf(first).trips).toBe(1)
    expect(first.headers.get("upload-offset")).toBe("5")
    expect(Date.parse(first.headers.get("upload-expires") as string)).toBe(expiry)
    const asked = await ask(alice, "HEAD", `/${id}`)
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      "tus-resumable": "1.0.0",
      "upload-offset": "5",
      "upload-length": String(content.length),
      "upload-metadata": metadata,
      "cache-control": "private, no-store",
    })
    expect(await read(ask(alice, "GET", `/${id}`), 200)).toEqual({
      id,
      offset: 5,
      sizeBytes: content.length,
    })
    const last = await append(alice, id, 5, content.slice(5))
    expect(last.headers.get("upload-offset")).toBe(String(content.length))

    const { items } = await read<{ items: object[] }>(call(alice, "GET", "/files?limit=1"), 200)
    expect(items[0]).toEqual({
      id,
      name: "films.csv",
      type: "text/csv",
      sizeBytes: content.length,
      sha256: await sha256Of(content),
      width: null,
      height: null,
      scan: null,
      createdAt: expect.any(String),
    })
    expect(new TextDecoder().decode(await contentOf(fetchFile(alice, id)))).toBe(content)
    // Whoever did not hear that it was the last finds that out.
    expect(await offsetOf(alice, id)).toBe(content.length)
    expect((await append(alice, id, content.length, "")).status).toBe(204)
    expect(await refused(append(alice, id, 0, "x"), 409)).toBe("offset_mismatch")
  })

  test("of nothing is a file as soon as it begins", async () => {
    const id = await begin(alice, 0)
    expect(await contentOf(fetchFile(alice, id))).toEqual(new Uint8Array())
    expect(await offsetOf(alice, id)).toBe(0)
  })

  test("may begin with content", async () => {
    const headers = { "upload-length": "10", "content-type": chunk }
    const begun = await ask(alice, "POST", "", headers, "hello")
    expect(begun.status).toBe(201)
    expect(begun.headers.get("upload-offset")).toBe("5")
    expect((await append(alice, idIn(begun), 5, "world")).headers.get("upload-offset")).toBe("10")
    expect(await contentOf(fetchFile(alice, idIn(begun)))).toHaveLength(10)
    const whole = await ask(alice, "POST", "", { ...headers, "upload-length": "5" }, "hello")
    expect(whole.headers.get("upload-offset")).toBe("5")
    expect(await contentOf(fetchFile(alice, idIn(whole)))).toHaveLength(5)
  })

  // The border of pieces is at 1 MiB, that of parts at 8.
  test.each([
    ["one part, whole", [8 * mib]],
    ["a part and a byte, cut at odd places", [1, mib - 1, mib + 7, 6 * mib - 6]],
    ["two parts in one go", [16 * mib]],
    ["three parts, the last of them small", [5 * mib, 7 * mib, 5 * mib + 3]],
  ])("comes back as it was: %s", async (_, sizes) => {
    const size = sizes.reduce((sum, one) => sum + one, 0)
    const content = countedBytes(size)
    const id = await begin(bob, size)
    let offset = 0
    for (const one of sizes) {
      const answer = await append(bob, id, offset, content.subarray(offset, offset + one))
      offset += one
      expect(answer.status).toBe(204)
      expect(answer.headers.get("upload-offset")).toBe(String(offset))
    }
    const back = await contentOf(fetchFile(bob, id))
    expect(await sha256Of(new Uint8Array(back))).toBe(await sha256Of(content))
    const [row] = await query("SELECT sha256 FROM files WHERE id = ?", id)
    expect(row?.sha256).toBe(await sha256Of(content))
    expect((await call(bob, "DELETE", `/files/${id}`)).status).toBe(204)
  })

  test.each([
    ["no length", {}, 400, "invalid_input"],
    ["a length that is none", { "upload-length": "-1" }, 400, "invalid_input"],
    ["a length that is told later", { "upload-defer-length": "1" }, 400, "invalid_input"],
    ["one that is too long", { "upload-length": "2000000001" }, 413, "payload_too_large"],
    [
      "metadata that is no Base64",
      { "upload-length": "5", "upload-metadata": "filename ä" },
      400,
      "invalid_input",
    ],
    [
      "metadata that says one thing twice",
      { "upload-length": "5", "upload-metadata": "a YQ==,a YQ==" },
      400,
      "invalid_input",
    ],
    [
      "metadata of a novel's length",
      { "upload-length": "5", "upload-metadata": `a ${"YWFh".repeat(2_000)}` },
      400,
      "invalid_input",
    ],
  ])("with %s does not begin", async (_, headers, status, code) => {
    const before = [await usageOf(alice.id), await query("SELECT id FROM files")]
    expect(await refused(ask(alice, "POST", "", headers as Record<string, string>), status)).toBe(
      code,
    )
    expect([await usageOf(alice.id), await query("SELECT id FROM files")]).toEqual(before)
  })

  test("that begins with content of another type, or with too much of it, does not begin", async () => {
    const before = await usageOf(alice.id)
    const send = (type: string, body: string) =>
      ask(
        alice,
        "POST",
        "",
        { "upload-length": "5", "content-type": type, "content-length": `${body.length}` },
        body,
      )
    expect(await refused(send("text/plain", "hello"), 415)).toBe("unsupported_media_type")
    expect(await refused(send(chunk, "hello!"), 413)).toBe("payload_too_large")
    const headers = { "upload-length": "10", "content-type": chunk, "upload-checksum": "sha1 AAAA" }
    expect(await refused(ask(alice, "POST", "", headers, "hello"), 460)).toBe("checksum_mismatch")
    expect(await usageOf(alice.id)).toEqual(before)
  })

  test.each([
    ["no offset", { "upload-offset": "" }, "hello", 400, "invalid_input"],
    ["another offset", { "upload-offset": "1" }, "hello", 409, "offset_mismatch"],
    [
      "another type",
      { "content-type": "application/octet-stream" },
      "hello",
      415,
      "unsupported_media_type",
    ],
    ["more than is to come", {}, "hello!", 413, "payload_too_large"],
    ["more than it says is to come", { "content-length": "6" }, "hello!", 413, "payload_too_large"],
    [
      "a checksum of another kind",
      { "upload-checksum": "crc32 AAAA" },
      "hello",
      400,
      "invalid_input",
    ],
    [
      "a checksum of something else",
      { "upload-checksum": "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=" },
      "hello",
      460,
      "checksum_mismatch",
    ],
  ])("takes no chunk with %s, and is where it was", async (_, headers, body, status, code) => {
    const id = await begin(alice, 5)
    const answer = append(alice, id, 0, body, headers as Record<string, string>)
    expect(await refused(answer, status)).toBe(code)
    expect(await offsetOf(alice, id)).toBe(0)
    expect((await append(alice, id, 0, "hello")).status).toBe(204)
  })

  test("takes chunks that are what their checksums say, across the border of parts", async () => {
    const content = countedBytes(9 * mib)
    const id = await begin(bob, content.length)
    let offset = 0
    for (const [size, algorithm] of [
      [4 * mib + 1, "sha1"],
      [5 * mib - 1, "sha256"],
    ] as const) {
      const some = content.subarray(offset, offset + size)
      const checksum = (bytes: Uint8Array) => ({
        "upload-checksum": `${algorithm} ${createHash(algorithm).update(bytes).digest("base64")}`,
      })
      const wrong = append(bob, id, offset, some, checksum(some.subarray(1)))
      expect(await refused(wrong, 460)).toBe("checksum_mismatch")
      expect(await offsetOf(bob, id)).toBe(offset)
      expect((await append(bob, id, offset, some, checksum(some))).status).toBe(204)
      offset += size
    }
    expect(await sha256Of(new Uint8Array(await contentOf(fetchFile(bob, id))))).toBe(
      await sha256Of(content),
    )
    await call(bob, "DELETE", `/files/${id}`)
  })

  test("takes no more than 8 MiB with a checksum", async () => {
    const id = await begin(bob, 9 * mib)
    const body = new Uint8Array(8 * mib + 1)
    const headers = {
      "upload-checksum": `sha1 ${createHash("sha1").update(body).digest("base64")}`,
    }
    expect(await refused(append(bob, id, 0, body, headers), 413)).toBe("payload_too_large")
    expect(await offsetOf(bob, id)).toBe(0)
    expect((await ask(bob, "DELETE", `/${id}`)).status).toBe(204)
  })
})
