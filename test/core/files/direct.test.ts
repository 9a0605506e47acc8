import { env } from "cloudflare:workers"
import { createHash, createHmac } from "node:crypto"
import { beforeAll, describe, expect, test, vi } from "vitest"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { parseSettings } from "../../../src/platform/settings.ts"
import { callAt } from "../../support/deployment.ts"
import { hush } from "../../support/hush.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { keyed } from "../identity/api-key-cast.ts"
import {
  bytesOf,
  type Content,
  contentOf,
  fetchFile,
  kept,
  query,
  read,
  refused,
  sha256Of,
  sweepAt,
  usageOf,
} from "./cast.ts"

const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
const account = "0123456789abcdef0123456789abcdef"
const direct = {
  ...env,
  R2_ACCOUNT_ID: account,
  R2_BUCKET: "my-bucket",
  R2_ACCESS_KEY_ID: "AKIDEXAMPLE",
  R2_SECRET_ACCESS_KEY: secret,
}

interface DirectUpload {
  id: string
  method: string
  url: string
  headers: Record<string, string>
  expiresAt: string
}

let alice: Person
let bob: Person
beforeAll(async () => {
  hush("info", "warn", "error")
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})

const ask = (as: Person | null, path: string, body?: object, deployment: object = direct) =>
  callAt(deployment, as, "POST", path, body)

const begin = (draft: object, as = alice) =>
  read<DirectUpload>(ask(as, "/files/direct-uploads", { name: "film.mp4", ...draft }), 201)

const complete = (id: string, as: Person | null = alice) => ask(as, `/files/${id}/completion`)

/**
 * As R2's S3 does: takes a body whose address is signed for it, by a verifier that shares no code with the signer, and
 * answers a status.
 */
async function put({ url, headers }: DirectUpload, content: Content, more = {}): Promise<number> {
  const address = new URL(url)
  const sent: Record<string, string> = {
    host: address.host,
    "content-length": String(bytesOf(content).length),
    ...headers,
    ...more,
  }
  const given = address.searchParams
  const [, day = "", region = "", service = ""] = (given.get("X-Amz-Credential") ?? "").split("/")
  const begun = (given.get("X-Amz-Date") ?? "").replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    "$1-$2-$3T$4:$5:$6Z",
  )
  const over = Date.parse(begun) + Number(given.get("X-Amz-Expires")) * 1_000
  if (!(Date.now() < over) || given.get("X-Amz-Expires") !== "3600") return 403
  const names = given.get("X-Amz-SignedHeaders") as string
  const signature = given.get("X-Amz-Signature")
  const canonical = [
    "PUT",
    address.pathname,
    address.search.slice(1).replace(/&X-Amz-Signature=.*$/, ""),
    ...names.split(";").map((name) => `${name}:${sent[name]}`),
    "",
    names,
    "UNSIGNED-PAYLOAD",
  ].join("\n")
  const hash = createHash("sha256").update(canonical).digest("hex")
  const scope = [day, region, service, "aws4_request"]
  const text = ["AWS4-HMAC-SHA256", given.get("X-Amz-Date"), scope.join("/"), hash].join("\n")
  let key: string | Buffer = `AWS4${secret}`
  for (const part of scope) key = createHmac("sha256", key).update(part).digest()
  if (createHmac("sha256", key).update(text).digest("hex") !== signature) return 403
  const [, bucket, ...rest] = address.pathname.split("/")
  if (bucket !== "my-bucket") return 404
  const created = await env.BLOBS.put(rest.join("/"), bytesOf(content), {
    ...(sent["if-none-match"] === "*" && { onlyIf: { etagDoesNotMatch: "*" } }),
  })
  return created ? 200 : 412
}

const hour = 3_600_000

describe("a file that is put at R2 directly", () => {
  test("becomes a file of what its content says, once its sender says that it is there", async () => {
    const content = "<!DOCTYPE html><script>alert(1)</script>".padEnd(700_000, " ")
    const draft = { name: "../page.png", type: "image/png", sizeBytes: content.length }
    const upload = await begin({ ...draft, sha256: await sha256Of(content) })
    expect(upload).toMatchObject({ method: "PUT", headers: { "if-none-match": "*" } })
    expect(new URL(upload.url).host).toBe(`${account}.r2.cloudflarestorage.com`)
    expect(Date.parse(upload.expiresAt)).toBeGreaterThan(Date.now() + hour - 60_000)
    expect(await refused(complete(upload.id), 409)).toBe("conflict")
    expect(await refused(fetchFile(alice, upload.id), 404)).toBe("not_found")
    expect(await put(upload, content)).toBe(200)
    expect(await refused(fetchFile(alice, upload.id), 404)).toBe("not_found")
    const file = await read<StoredFile>(complete(upload.id), 201)
    expect(file).toMatchObject({
      id: upload.id,
      name: "page.png",
      type: "text/html",
      sizeBytes: 700_000,
      sha256: await sha256Of(content),
    })
    expect(await read<StoredFile>(complete(upload.id), 201)).toEqual(file)
    expect(await contentOf(fetchFile(alice, file.id))).toEqual(bytesOf(content))
  })

  test("is put once: nothing takes its place, before it is looked at or after", async () => {
    const upload = await begin({ sizeBytes: 5 })
    expect(await put(upload, "first")).toBe(200)
    expect(await put(upload, "other")).toBe(412)
    await read(complete(upload.id), 201)
    expect(await put(upload, "other")).toBe(412)
    expect(await put(upload, "other", { "if-none-match": "" })).toBe(403)
    expect(await contentOf(fetchFile(alice, upload.id))).toEqual(bytesOf("first"))
  })

  test("has the length that was said, and is put where its address says", async () => {
    const upload = await begin({ sizeBytes: 5 })
    expect(await put(upload, "longer")).toBe(403)
    expect(await put(upload, "less")).toBe(403)
    const elsewhere = upload.url.replace(upload.id, crypto.randomUUID())
    expect(await put({ ...upload, url: elsewhere }, "12345")).toBe(403)
    const longer = upload.url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200")
    expect(await put({ ...upload, url: longer }, "12345")).toBe(403)
    expect(await put(upload, "12345")).toBe(200)
  })

  test("of another SHA-256 than was said is refused, and leaves nothing but its row, for the sweep", async () => {
    const before = await usageOf(alice.id)
    const upload = await begin({ sizeBytes: 5, sha256: await sha256Of("hello") })
    expect(await put(upload, "jello")).toBe(200)
    expect(await refused(complete(upload.id), 400)).toBe("invalid_input")
    expect(await kept()).not.toContain(upload.id)
    expect(await refused(complete(upload.id), 404)).toBe("not_found")
    // Its address is good for a while, so somebody may use it.
    expect(await put(upload, "jello")).toBe(200)
    await sweepAt(Date.now() + 3 * hour)
    expect(await kept()).toContain(upload.id)
    expect(await usageOf(alice.id)).toEqual({
      bytes: (before.bytes as number) + 5,
      files: (before.files as number) + 1,
    })
    await query(
      "UPDATE files SET directUntil = ? WHERE id = ?",
      new Date().toISOString(),
      upload.id,
    )
    await sweepAt(Date.now())
    expect(await usageOf(alice.id)).toEqual(before)
    expect(await kept()).not.toContain(upload.id)
    expect(await query("SELECT id FROM files WHERE id = ?", upload.id)).toEqual([])
  })

  test("counts until its address is of no use any more, also when it was deleted; then no more at once", async () => {
    const before = await usageOf(bob.id)
    const [early, late] = [await begin({ sizeBytes: 5 }, bob), await begin({ sizeBytes: 7 }, bob)]
    for (const [upload, content] of [
      [early, "hello"],
      [late, "goodbye"],
    ] as const) {
      await put(upload, content)
      await read(complete(upload.id, bob), 201)
    }
    await query("UPDATE files SET directUntil = createdAt WHERE id = ?", late.id)
    for (const { id } of [early, late]) {
      expect((await call(bob, "DELETE", `/files/${id}`)).status).toBe(204)
    }
    const counted = {
      bytes: (before.bytes as number) + 5,
      files: (before.files as number) + 1,
    }
    expect(await usageOf(bob.id)).toEqual(counted)
    await vi.waitFor(async () => expect(await kept()).not.toContain(early.id))
    expect(await put(early, "again")).toBe(200)
    await sweepAt(Date.now())
    expect(await usageOf(bob.id)).toEqual(counted)
    await query("UPDATE files SET directUntil = createdAt WHERE id = ?", early.id)
    await sweepAt(Date.now())
    expect(await kept()).not.toContain(early.id)
    expect(await usageOf(bob.id)).toEqual(before)
  })

  test("that was deleted before such files counted, counts from that migration on, and waits since it was sent", async () => {
    const erin = await signedIn("erin")
    const before = await usageOf(erin.id)
    const upload = await begin({ sizeBytes: 5 }, erin)
    await put(upload, "hello")
    await read(complete(upload.id, erin), 201)
    await query("UPDATE files SET destination = 'exhibits.leaflets' WHERE id = ?", upload.id)
    const migrated = async (name: string) => {
      const { queries = [] } = env.TEST_MIGRATIONS.find((one) => one.name.includes(name)) ?? {}
      const updates = queries.filter((one) => /^(--.*\s+)*UPDATE/.test(one))
      expect(updates).toHaveLength(1)
      await query(updates[0] as string)
    }
    await migrated("files-waiting-since")
    const [row] = await query("SELECT releasedAt, createdAt FROM files WHERE id = ?", upload.id)
    expect(row?.releasedAt).toBe(row?.createdAt)
    await call(erin, "DELETE", `/files/${upload.id}`)
    const uncounted =
      "UPDATE file_usage SET bytes = bytes - size, files = files - 1 FROM files WHERE files.id = ? AND holder = owner"
    const counted = await usageOf(erin.id)
    await query(
      "UPDATE files SET directUntil = NULL WHERE state = 'deleted' AND id <> ?",
      upload.id,
    )
    await query(uncounted, upload.id)
    expect(await usageOf(erin.id)).toEqual(before)
    await migrated("direct-room")
    expect(await usageOf(erin.id)).toEqual(counted)
  })

  test("is judged by the field that it is for, by what is said of it and by what it is", async () => {
    const refusedFor = (draft: object, status: number) =>
      refused(ask(alice, "/files/direct-uploads", { name: "x", ...draft }), status)
    const field = { for: "exhibits.picture", sizeBytes: 4 }
    expect(await refusedFor({ ...field, for: "exhibits.nothing" }, 400)).toBe("invalid_input")
    expect(await refusedFor({ ...field, sizeBytes: 201 }, 413)).toBe("payload_too_large")
    expect(await refusedFor({ ...field, type: "text/plain" }, 415)).toBe("unsupported_media_type")
    const upload = await begin({ ...field, type: "image/png" })
    await put(upload, "text")
    expect(await refused(complete(upload.id), 415)).toBe("unsupported_media_type")
    expect(await kept()).not.toContain(upload.id)
    const gif = await begin({ ...field, sizeBytes: 10 })
    await put(gif, "GIF89a\u0001\0\u0001\0")
    expect(await read<StoredFile>(complete(gif.id), 201)).toMatchObject({
      type: "image/gif",
      width: 1,
    })
  })

  test("that never comes, or whose end is never told, is swept after a day, and its room given back", async () => {
    const before = await usageOf(bob.id)
    const [never, untold] = [await begin({ sizeBytes: 9 }, bob), await begin({ sizeBytes: 5 }, bob)]
    await put(untold, "hello")
    await sweepAt(Date.now() + 23 * hour)
    expect(await usageOf(bob.id)).toEqual({
      bytes: (before.bytes as number) + 14,
      files: (before.files as number) + 2,
    })
    await sweepAt(Date.now() + 25 * hour)
    expect(await kept()).not.toContain(untold.id)
    expect(await usageOf(bob.id)).toEqual(before)
    expect(await refused(complete(never.id, bob), 404)).toBe("not_found")
  })

  test("is nobody's but of whoever began it", async () => {
    const upload = await begin({ sizeBytes: 5 })
    await put(upload, "hello")
    expect(await refused(complete(upload.id, bob), 404)).toBe("not_found")
    expect(await refused(complete(upload.id, null), 401)).toBe("unauthenticated")
    const reader = await keyed(alice, ["files:read"])
    expect(await refused(complete(upload.id, reader), 403)).toBe("forbidden")
    expect(
      await refused(ask(reader, "/files/direct-uploads", { name: "x", sizeBytes: 1 }), 403),
    ).toBe("forbidden")
    const sent = await read<StoredFile>(
      call(alice, "POST", "/files", "x", { "content-type": "text/plain", "content-length": "1" }),
      201,
    )
    expect(await read<StoredFile>(complete(sent.id), 201)).toEqual(sent)
    expect(await refused(complete(sent.id, bob), 404)).toBe("not_found")
    expect((await complete(upload.id)).status).toBe(201)
  })

  test("of fifty at once against a person's quota, as many get room as fit, and no more", async () => {
    const dave = await signedIn("dave")
    const narrow = { ...direct, FILE_QUOTA_PERSON: "1000" }
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        ask(dave, "/files/direct-uploads", { name: "x", sizeBytes: 100 }, narrow),
      ),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
    const others = answers.filter(({ status }) => status !== 201)
    for (const answer of others) expect(await refused(answer, 413)).toBe("quota_exceeded")
    expect(await usageOf(dave.id)).toEqual({ bytes: 1_000, files: 10 })
  })

  test("is asked for in vain where there are no keys, and what is asked wrongly is named", async () => {
    const without = ask(alice, "/files/direct-uploads", { name: "x", sizeBytes: 1 }, env)
    expect(await refused(without, 403)).toBe("forbidden")
    const huge = ask(alice, "/files/direct-uploads", { name: "x", sizeBytes: 5_000_000_001 })
    expect(await refused(huge, 413)).toBe("payload_too_large")
    for (const draft of [{ sizeBytes: 0 }, { sizeBytes: -1 }, { sizeBytes: 1, sha256: "x" }, {}]) {
      const wrong = ask(alice, "/files/direct-uploads", { name: "x", ...draft })
      expect(await refused(wrong, 400)).toBe("invalid_input")
    }
    const { R2_SECRET_ACCESS_KEY: _, ...half } = direct
    expect(() => parseSettings(half)).toThrow("Variables")
    expect(parseSettings({ ...direct, R2_JURISDICTION: "eu" }).files.direct?.endpoint).toBe(
      `https://${account}.eu.r2.cloudflarestorage.com`,
    )
  })
})
