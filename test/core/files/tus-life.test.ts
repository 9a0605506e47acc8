import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { createHash } from "node:crypto"
import { beforeAll, describe, expect, test, vi } from "vitest"
import type { Receiver } from "../../../src/core/files/receiver.ts"
import { fetchFrom } from "../../support/deployment.ts"
import { hush } from "../../support/hush.ts"
import { call, type Person, signedIn, signIn } from "../../support/people.ts"
import { keyed, organisationOf } from "../identity/api-key-cast.ts"
import {
  bytesOf,
  contentOf,
  fetchFile,
  kept,
  query,
  read,
  refused,
  sha256Of,
  sweepAt,
  upload,
  usageOf,
} from "./cast.ts"
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
const hour = 3_600_000

const receiver = (id: string) => env.UPLOAD_RECEIVER.get(env.UPLOAD_RECEIVER.idFromName(id))

/** What its object holds: none, when it is over. */
const storedIn = (id: string) =>
  runInDurableObject(receiver(id), async (_, state) => [
    ...[...state.storage.kv.list()].map(([key]) => key),
    ...((await state.storage.getAlarm()) === null ? [] : ["alarm"]),
  ])

/** Uploads in parts that R2 knows and that have not ended, by trying to write to the one that the object began. */
async function isAbandoned(id: string, parts: string): Promise<boolean> {
  try {
    await env.BLOBS.resumeMultipartUpload(`files/${id}`, parts).uploadPart(9_999, "x")
    return false
  } catch {
    return true
  }
}

const partsOf = (id: string) =>
  runInDurableObject(receiver(id), (_, { storage }) => storage.kv.get<string>("parts"))

/** A body that gives so much, and then waits. */
function halting(bytes: Uint8Array<ArrayBuffer>) {
  let controller: ReadableByteStreamController | undefined
  const stream = new ReadableStream({
    type: "bytes",
    start(one) {
      controller = one
      one.enqueue(bytes.slice())
    },
  })
  return {
    stream,
    end: () => controller?.close(),
  }
}

/** Until so much is kept for good; whoever asks for the offset would end what is on its way. */
const keptFor = (id: string, offset: number) =>
  vi.waitFor(
    async () => {
      const reached = await runInDurableObject(receiver(id), (_, { storage }) =>
        storage.kv.get<number>("offset"),
      )
      expect(reached).toBe(offset)
    },
    { timeout: 60_000 },
  )

describe("whose upload it is", () => {
  test("nobody else's is there: not its offset, nor anything else of it", async () => {
    const id = await begin(alice, 5)
    const other = "019aa2c5-7d00-7000-8000-000000000001"
    for (const [as, status] of [
      [bob, 404],
      [await signedIn("admin", ["administrator"]), 404],
      [await keyed(bob, ["files:create"]), 404],
      [null, 401],
    ] as const) {
      for (const method of ["HEAD", "GET", "PATCH", "DELETE"]) {
        const [answer, none] = await Promise.all(
          [id, other].map((one) =>
            ask(
              as,
              method,
              `/${one}`,
              method === "PATCH" ? { "content-type": chunk, "upload-offset": "0" } : {},
            ),
          ),
        )
        expect(answer?.status).toBe(status)
        expect(answer?.headers.get("upload-offset")).toBeNull()
        const text = async (one: Response | undefined) =>
          (await one?.text())?.replace(/"requestId":"[^"]+"/, "")
        expect(await text(answer)).toBe(await text(none))
      }
    }
    expect(await offsetOf(alice, id)).toBe(0)
    expect((await append(alice, id, 0, "hello")).status).toBe(204)
    for (const method of ["HEAD", "DELETE"])
      expect((await ask(bob, method, `/${id}`)).status).toBe(404)
  })

  test("whoever was signed in anew goes on, and whose session has ended does not", async () => {
    const id = await begin(alice, 10)
    const { token } = await signIn(alice.email)
    const anew: Person = { ...alice, token }
    expect((await append(anew, id, 0, "hello")).status).toBe(204)
    expect((await call(anew, "DELETE", "/auth/sessions/current")).status).toBe(204)
    expect(await refused(append(anew, id, 5, "world"), 401)).toBe("token_outdated")
    expect(await refused(ask(anew, "POST", "", { "upload-length": "1" }), 401)).toBe(
      "token_outdated",
    )
    expect(await refused(ask(anew, "DELETE", `/${id}`), 401)).toBe("token_outdated")
    expect((await append(alice, id, 5, "world")).status).toBe(204)
  })

  test("it stays in the organisation in which it began", async () => {
    const carol = await signedIn("carol")
    const outside = await begin(carol, 5)
    const organisation = await organisationOf([[carol, []]])
    const inside = await signIn(carol.email)
    expect((await ask(inside, "HEAD", `/${outside}`)).status).toBe(404)
    const id = await begin(inside, 5)
    expect((await append(inside, id, 0, "hello")).status).toBe(204)
    expect(await usageOf(organisation)).toEqual({ bytes: 5, files: 1 })
  })

  test("a program goes as far as the scopes of its key", async () => {
    const writer = await keyed(alice, ["files:create"])
    const reader = await keyed(alice, ["files:read"])
    const [id, given] = [await begin(writer, 5), await begin(writer, 5)]
    expect(await refused(ask(reader, "GET", `/${id}`), 403)).toBe("forbidden")
    expect((await append(writer, id, 0, "hello")).status).toBe(204)
    expect((await ask(writer, "DELETE", `/${given}`)).status).toBe(204)
    // It is a file by now.
    expect(await refused(ask(writer, "DELETE", `/${id}`), 403)).toBe("forbidden")
    expect(await contentOf(fetchFile(alice, id))).toHaveLength(5)
  })
})

describe("room", () => {
  test("of fifty that begin at once against a person's quota, as many do as fit, and no more", async () => {
    const dave = await signedIn("dave")
    const deployment = {
      ...env,
      FILE_QUOTA_PERSON: "1000000000",
      FILE_MAX_BYTES_RESUMABLE: "100000000",
    }
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        fetchFrom(deployment, tus(dave, "POST", "", { "upload-length": "100000000" })),
      ),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      expect(await refused(answer, 413)).toBe("quota_exceeded")
    }
    expect(await usageOf(dave.id)).toEqual({ bytes: 1_000_000_000, files: 10 })
    const larger = fetchFrom(deployment, tus(dave, "POST", "", { "upload-length": "100000001" }))
    expect(await refused(larger, 413)).toBe("payload_too_large")
  })

  test("that an upload has taken is given back at once when it is given up", async () => {
    const before = [await usageOf(bob.id), await kept()]
    const id = await begin(bob, 20 * mib)
    expect((await append(bob, id, 0, countedBytes(9 * mib))).status).toBe(204)
    const parts = (await partsOf(id)) as string
    expect(await isAbandoned(id, parts)).toBe(false)
    expect((await ask(bob, "DELETE", `/${id}`)).status).toBe(204)
    expect([await usageOf(bob.id), await kept()]).toEqual(before)
    expect(await isAbandoned(id, parts)).toBe(true)
    expect(await storedIn(id)).toEqual([])
    expect(await query("SELECT id FROM files WHERE id = ?", id)).toEqual([])
    expect((await ask(bob, "HEAD", `/${id}`)).status).toBe(404)
    expect(await refused(append(bob, id, 0, "x"), 404)).toBe("not_found")
  })

  test("and so it is when it has become a file", async () => {
    const before = [await usageOf(bob.id), await kept()]
    const id = await begin(bob, 5)
    await append(bob, id, 0, "hello")
    expect(await storedIn(id)).toEqual([])
    expect((await ask(bob, "DELETE", `/${id}`)).status).toBe(204)
    await vi.waitFor(async () => expect([await usageOf(bob.id), await kept()]).toEqual(before))
  })
})

describe("a body that breaks off", () => {
  test("leaves what came of it, to the byte", async () => {
    const content = countedBytes(9 * mib)
    const id = await begin(alice, content.length)
    const body = halting(content.slice(0, 8 * mib + 12_345))
    const answer = append(alice, id, 0, body.stream)
    await keptFor(id, 8 * mib)
    body.end()
    await answer
    const offset = await offsetOf(alice, id)
    expect(offset).toBe(8 * mib + 12_345)
    expect((await append(alice, id, offset, content.subarray(offset))).status).toBe(204)
    const back = await contentOf(fetchFile(alice, id))
    expect(await sha256Of(new Uint8Array(back))).toBe(await sha256Of(content))
    await call(alice, "DELETE", `/files/${id}`)
  })

  test("leaves nothing where it had a checksum", async () => {
    const content = countedBytes(2 * mib)
    const id = await begin(alice, content.length)
    const digest = createHash("sha256").update(content).digest("base64")
    const checksum = { "upload-checksum": `sha256 ${digest}` }
    const body = halting(content.slice(0, mib + 7))
    const answer = append(alice, id, 0, body.stream, checksum)
    body.end()
    expect(await refused(answer, 460)).toBe("checksum_mismatch")
    expect(await offsetOf(alice, id)).toBe(0)
    expect((await append(alice, id, 0, content, checksum)).status).toBe(204)
  })

  test("unnoticed does not keep its sender from going on: whoever asks for the offset ends it", async () => {
    const content = countedBytes(3 * mib)
    const id = await begin(alice, content.length)
    const body = halting(content.slice(0, 2 * mib + 7))
    const lost = append(alice, id, 0, body.stream)
    await keptFor(id, 2 * mib)
    const offset = await offsetOf(alice, id)
    expect(offset).toBeGreaterThanOrEqual(2 * mib)
    expect(offset).toBeLessThanOrEqual(2 * mib + 7)
    expect(await refused(lost, 409)).toBe("conflict")
    expect((await append(alice, id, offset, content.subarray(offset))).status).toBe(204)
    const back = await contentOf(fetchFile(alice, id))
    expect(await sha256Of(new Uint8Array(back))).toBe(await sha256Of(content))
  })
})

describe("two at the same offset", () => {
  test("never both go on, and what they make of it is the one or the other", async () => {
    for (let time = 0; time < 5; time++) {
      const id = await begin(alice, 6)
      const answers = await Promise.all([
        append(alice, id, 0, "aaaaaa"),
        append(alice, id, 0, "bbbbbb"),
      ])
      const statuses = answers.map(({ status }) => status).sort()
      expect(statuses).toEqual([204, 409])
      const text = new TextDecoder().decode(await contentOf(fetchFile(alice, id)))
      expect(text).toBe(answers[0]?.status === 204 ? "aaaaaa" : "bbbbbb")
    }
  })

  test("whoever is elsewhere disturbs nobody", async () => {
    const id = await begin(alice, 2 * mib)
    const body = halting(countedBytes(mib + 5))
    const first = append(alice, id, 0, body.stream)
    await keptFor(id, mib)
    expect(await refused(append(alice, id, 3, "xxx"), 409)).toBe("offset_mismatch")
    body.end()
    expect((await first).headers.get("upload-offset")).toBe(String(mib + 5))
  })
})

describe("an upload whose time is over", () => {
  test("is there for nobody, and goes with the sweep, its parts too; until then it stays", async () => {
    const before = [await usageOf(bob.id), await kept()]
    const [id, untouched] = [await begin(bob, 20 * mib), await begin(bob, 5)]
    expect((await append(bob, id, 0, countedBytes(9 * mib))).status).toBe(204)
    const parts = (await partsOf(id)) as string
    // Longer than anything that comes in one request may take.
    await sweepAt(Date.now() + 23 * hour)
    expect(await offsetOf(bob, id)).toBe(9 * mib)
    const past = new Date(Date.now() - 1).toISOString()
    await query("UPDATE files SET expiresAt = ? WHERE id = ?", past, id)
    expect((await ask(bob, "HEAD", `/${id}`)).status).toBe(404)
    expect(await refused(append(bob, id, 9 * mib, "x"), 404)).toBe("not_found")
    expect(await refused(ask(bob, "DELETE", `/${id}`), 404)).toBe("not_found")
    await sweepAt(Date.now() + 25 * hour)
    expect([await usageOf(bob.id), await kept()]).toEqual(before)
    expect(await query("SELECT id FROM files WHERE id IN (?, ?)", id, untouched)).toEqual([])
    expect(await isAbandoned(id, parts)).toBe(true)
    expect(await storedIn(id)).toEqual([])
  })

  test("goes by the alarm of its object", async () => {
    const before = await usageOf(bob.id)
    const id = await begin(bob, 20 * mib)
    expect((await append(bob, id, 0, countedBytes(9 * mib))).status).toBe(204)
    const parts = (await partsOf(id)) as string
    expect(await runDurableObjectAlarm(receiver(id))).toBe(true)
    expect(await usageOf(bob.id)).toEqual(before)
    expect(await isAbandoned(id, parts)).toBe(true)
    expect(await storedIn(id)).toEqual([])
    expect(await query("SELECT id FROM files WHERE id = ?", id)).toEqual([])
  })
})

/** As whoever has read its row hands it over. */
const incoming = (id: string, sizeBytes: number) => ({
  id,
  database: "main",
  sizeBytes,
  type: "",
  destination: null,
  expiresAt: Date.now() + hour,
})

/** A body of unknown length that begins at its end. */
const whole = { from: 5, lengthBytes: null, checksum: null }

describe("what comes late, of an upload that is a file already,", () => {
  test("begins nothing: it is told how far the file is", async () => {
    const id = await begin(alice, 5)
    expect((await append(alice, id, 0, "hello")).status).toBe(204)
    const late = await receiver(id).append(incoming(id, 5), whole, new Response("more").body)
    expect(late).toEqual({ outcome: "kept", offset: 5 })
    expect(await storedIn(id)).toEqual([])
    expect(await contentOf(fetchFile(alice, id))).toEqual(bytesOf("hello"))
  })

  test("to an object that knows nothing of it any more, costs the file nothing", async () => {
    const { id } = await upload(alice, countedBytes(9 * mib))
    const half = { from: 0, lengthBytes: null, checksum: null }
    const body = halting(countedBytes(8 * mib + 5))
    const late = receiver(id).append(incoming(id, 9 * mib), half, body.stream)
    await keptFor(id, 8 * mib)
    body.end()
    expect(await late).toMatchObject({ outcome: "kept" })
    const parts = (await partsOf(id)) as string
    expect(await runDurableObjectAlarm(receiver(id))).toBe(true)
    expect(await storedIn(id)).toEqual([])
    expect(await isAbandoned(id, parts)).toBe(true)
    expect(await contentOf(fetchFile(alice, id))).toHaveLength(9 * mib)
    await call(alice, "DELETE", `/files/${id}`)
  })
})

describe("an upload that has arrived whole when its process is killed", () => {
  /** All but its end: as it is between the last byte and the row. */
  async function arrivedWhole(content: Uint8Array<ArrayBuffer>) {
    const id = await begin(alice, content.length + 1)
    expect((await append(alice, id, 0, content)).status).toBe(204)
    await query("UPDATE files SET size = ? WHERE id = ?", content.length, id)
    await runInDurableObject(receiver(id), (_, { storage }) => {
      const known = storage.kv.get<object>("upload")
      storage.kv.put("upload", { ...known, sizeBytes: content.length })
    })
    return id
  }

  test.each([
    ["in one part", 5],
    ["in several", 9 * mib],
  ])("becomes a file by the alarm, or as soon as somebody asks: %s", async (_, size) => {
    const content = countedBytes(size)
    for (const finish of [
      (id: string) => runDurableObjectAlarm(receiver(id)),
      (id: string) => ask(alice, "HEAD", `/${id}`),
    ]) {
      const id = await arrivedWhole(content)
      await finish(id)
      const [row] = await query("SELECT state, sha256 FROM files WHERE id = ?", id)
      expect(row).toEqual({ state: "stored", sha256: await sha256Of(content) })
      expect(await storedIn(id)).toEqual([])
      expect(await offsetOf(alice, id)).toBe(size)
      // Its room counts as what it was when it began.
      await query("UPDATE files SET size = size + 1 WHERE id = ?", id)
      await call(alice, "DELETE", `/files/${id}`)
    }
  })

  test("and was joined, or written down, is not harmed by being asked again", async () => {
    const content = countedBytes(9 * mib)
    const id = await arrivedWhole(content)
    // R2 has it, and knows no parts of it any more.
    await env.BLOBS.put(`files/${id}`, content)
    await env.BLOBS.resumeMultipartUpload(`files/${id}`, (await partsOf(id)) as string).abort()
    const known = await runInDurableObject(receiver(id), (_, { storage }) => [...storage.kv.list()])
    await runDurableObjectAlarm(receiver(id))
    expect(await storedIn(id)).toEqual([])
    // Its row says so, and its object does not know.
    await runInDurableObject(receiver(id), async (_, { storage }) => {
      for (const [key, value] of known) storage.kv.put(key, value)
      await storage.setAlarm(Date.now() + hour)
    })
    await runDurableObjectAlarm(receiver(id))
    expect(await storedIn(id)).toEqual([])
    expect(await contentOf(fetchFile(alice, id))).toHaveLength(content.length)
  })

  test("and is asked while that is done, answers when it is", async () => {
    const id = await arrivedWhole(countedBytes(5))
    const answers = await runInDurableObject(receiver(id), (object) => {
      const one = object as unknown as Receiver
      return Promise.all([
        one.offset(incoming(id, 5)),
        one.append(incoming(id, 5), whole, new Response("more").body),
      ])
    })
    expect(answers).toEqual([5, { outcome: "kept", offset: 5 }])
    expect(await storedIn(id)).toEqual([])
    expect(await contentOf(fetchFile(alice, id))).toEqual(countedBytes(5))
  })

  test("and was given up meanwhile leaves nothing", async () => {
    const id = await arrivedWhole(countedBytes(9 * mib))
    await query("UPDATE files SET state = 'deleted' WHERE id = ?", id)
    await runDurableObjectAlarm(receiver(id))
    expect(await kept()).not.toContain(id)
    expect(await storedIn(id)).toEqual([])
  })
})

describe("an upload for a field of records", () => {
  const beginFor = (field: string, length: number, filetype = "") =>
    ask(alice, "POST", "", {
      "upload-length": `${length}`,
      "upload-metadata": metadataOf({ for: field, filetype }),
    })

  test("is judged by the limits of the field before it begins", async () => {
    const before = await usageOf(alice.id)
    expect(await refused(beginFor("exhibits.nothing", 5), 400)).toBe("invalid_input")
    expect(await refused(beginFor("exhibits.picture", 201), 413)).toBe("payload_too_large")
    const csv = beginFor("exhibits.picture", 5, "text/csv")
    expect(await refused(csv, 415)).toBe("unsupported_media_type")
    expect(await usageOf(alice.id)).toEqual(before)
  })

  test("and by its content at its end, after which nothing is left of what does not fit", async () => {
    const before = [await usageOf(alice.id), await kept()]
    const id = idIn(await beginFor("exhibits.picture", 5))
    expect(await refused(append(alice, id, 0, "hello"), 415)).toBe("unsupported_media_type")
    expect([await usageOf(alice.id), await kept()]).toEqual(before)
    expect((await ask(alice, "HEAD", `/${id}`)).status).toBe(404)
    expect(await storedIn(id)).toEqual([])
    const leaflet = idIn(await beginFor("exhibits.leaflets", 5))
    expect((await append(alice, leaflet, 0, "hello")).status).toBe(204)
    const exhibit = { title: "hello", leaflets: [leaflet] }
    expect((await call(alice, "POST", "/records/exhibits", exhibit)).status).toBe(201)
    // What a record holds is not deleted in this way either.
    expect(await refused(ask(alice, "DELETE", `/${leaflet}`), 409)).toBe("conflict")
  })
})

test("a file that was sent in one request has arrived, for whoever asks", async () => {
  const { id } = await upload(alice, "hello")
  expect(await offsetOf(alice, id)).toBe(5)
  expect(await read(ask(bob, "GET", `/${id}`), 404)).toMatchObject({ code: "not_found" })
})
