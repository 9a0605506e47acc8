import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test } from "vitest"
import type { Sql } from "../../../src/platform/sql.ts"
import { callAt } from "../../support/deployment.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { keyed, organisationOf } from "../identity/api-key-cast.ts"
import {
  bytesOf,
  contentOf,
  fetchFile,
  kept,
  query,
  read,
  refused,
  send,
  sendTo,
  sha256Of,
  sweepAt,
  upload,
  usageOf,
} from "./cast.ts"

let alice: Person
let bob: Person
beforeAll(async () => {
  hush("info", "warn", "error")
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})

/** A deployment in which little may be kept. */
const small = (more: object = {}) => ({ ...env, FILE_MAX_BYTES: "1000", ...more })

const sendZeros = (deployment: object, as: Person, size: number) =>
  sendTo(deployment, as, new Uint8Array(size))

/** A body that ends, or breaks, after it has given so much. */
const broken = (given: number, end: "ends" | "fails") =>
  new ReadableStream<Uint8Array>({
    type: "bytes",
    start(controller) {
      if (given) controller.enqueue(new Uint8Array(given))
      if (end === "fails") controller.error(new Error("connection lost"))
      else controller.close()
    },
  })

const hour = 3_600_000

describe("an upload", () => {
  test("is answered with what its content says, and read back to the byte", async () => {
    const content = crypto.getRandomValues(new Uint8Array(60_000))
    const answer = await send(alice, content, {}, "?name=noise.bin")
    expect(costOf(answer).trips).toBe(2)
    const file = await read<Record<string, unknown>>(answer, 201)
    expect(file).toEqual({
      id: expect.any(String),
      name: "noise.bin",
      type: "application/octet-stream",
      sizeBytes: 60_000,
      sha256: await sha256Of(content),
      width: null,
      height: null,
      createdAt: expect.any(String),
      scan: null,
    })
    expect(answer.headers.get("location")).toBe(`/files/${file.id}`)
    const back = await fetchFile(alice, file.id as string)
    expect(costOf(back)).toMatchObject({ trips: 1, rowsWritten: 0 })
    expect(await contentOf(back)).toEqual(content)
  })

  test.each([0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 6_000_000])(
    "of %i bytes comes back as it was",
    async (size) => {
      const content = new Uint8Array(size).map((_, i) => (i * 7) % 251)
      const file = await upload(alice, content)
      expect(file).toMatchObject({ sizeBytes: size, sha256: await sha256Of(content) })
      expect(await sha256Of(new Uint8Array(await contentOf(fetchFile(alice, file.id))))).toBe(
        file.sha256,
      )
      expect((await call(alice, "DELETE", `/files/${file.id}`)).status).toBe(204)
    },
  )

  test("that does not say how long it is, is refused before it is read", async () => {
    const answer = sendTo(env, alice, broken(10, "ends"))
    expect(await refused(answer, 411)).toBe("length_required")
  })

  test("whose length is no number is refused", async () => {
    expect(await refused(send(alice, "x", { "content-length": "1e3" }), 400)).toBe("invalid_input")
  })

  test.each([
    ["ends early", 100, broken(99, "ends"), 400],
    ["goes on", 100, broken(101, "ends"), 400],
    ["breaks off", 100_000, broken(70_000, "fails"), 400],
    ["never begins", 100, broken(0, "fails"), 400],
  ] as const)("that %s leaves nothing", async (_, length, body, status) => {
    const before = [await kept(), await usageOf(alice.id), await query("SELECT id FROM files")]
    await read(sendTo(env, alice, body, { "content-length": String(length) }), status)
    expect([await kept(), await usageOf(alice.id), await query("SELECT id FROM files")]).toEqual(
      before,
    )
  })

  test("is open to people with an account alone", async () => {
    expect(await refused(send(null, "x"), 401)).toBe("unauthenticated")
    const deployment = { ...env, ANONYMOUS_SESSIONS: "on" }
    const anonymous = callAt(deployment, null, "POST", "/auth/sessions", { kind: "anonymous" })
    const { accessToken } = await read<{ accessToken: string }>(anonymous, 201)
    const nobody: Person = { id: "", email: "", token: accessToken }
    expect(await refused(send(nobody, "x"), 403)).toBe("account_required")
  })

  test("by a session that has ended is refused before a byte is kept", async () => {
    const { token } = await signIn(alice.email)
    const ended: Person = { ...alice, token }
    expect((await call(ended, "DELETE", "/auth/sessions/current")).status).toBe(204)
    const before = await kept()
    expect(await refused(send(ended, "x"), 401)).toBe("token_outdated")
    expect(await kept()).toEqual(before)
  })

  test("by a program goes as far as the scopes of its key", async () => {
    const reader = await keyed(bob, ["files:read"])
    const writer = await keyed(bob, ["files:create"])
    const stranger = await keyed(bob, ["articles:*"])
    const file = await upload(writer, "by a program")
    expect(await refused(send(reader, "x"), 403)).toBe("forbidden")
    expect(await refused(send(stranger, "x"), 403)).toBe("forbidden")
    expect(await contentOf(fetchFile(reader, file.id))).toEqual(bytesOf("by a program"))
    expect(await refused(fetchFile(writer, file.id), 404)).toBe("not_found")
    expect(await refused(fetchFile(stranger, file.id), 404)).toBe("not_found")
    expect(await refused(call(reader, "DELETE", `/files/${file.id}`), 403)).toBe("forbidden")
    expect(await contentOf(fetchFile(bob, file.id))).toEqual(bytesOf("by a program"))
  })
})

describe("how much may be kept", () => {
  test("a file that is too large is refused by what it says, before it is read", async () => {
    const carol = await signedIn("carol")
    expect(await refused(sendZeros(small(), carol, 1_001), 413)).toBe("payload_too_large")
    expect((await sendZeros(small(), carol, 1_000)).status).toBe(201)
  })

  test("of fifty uploads at once against a person's quota, as many are kept as fit, and no more", async () => {
    const dave = await signedIn("dave")
    const deployment = small({ FILE_QUOTA_PERSON: "1000" })
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => sendZeros(deployment, dave, 100)),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
    const others = answers.filter(({ status }) => status !== 201)
    for (const answer of others) expect(await refused(answer, 413)).toBe("quota_exceeded")
    expect(await usageOf(dave.id)).toEqual({ bytes: 1_000, files: 10 })
  })

  test("files count, too, those without a byte among them", async () => {
    const ivan = await signedIn("ivan")
    const deployment = small({ FILE_COUNT_PERSON: "2" })
    for (let i = 0; i < 2; i++) expect((await sendZeros(deployment, ivan, 0)).status).toBe(201)
    expect(await read(sendZeros(deployment, ivan, 0), 413)).toMatchObject({
      code: "quota_exceeded",
      detail: "You have as many files as you may have.",
    })
    expect(await usageOf(ivan.id)).toEqual({ bytes: 0, files: 2 })
  })

  test("the members of an organisation share its quota", async () => {
    const [eve, frank] = [await signedIn("eve"), await signedIn("frank")]
    const organisation = await organisationOf([
      [eve, []],
      [frank, []],
    ])
    const [inEve, inFrank] = [await signIn(eve.email), await signIn(frank.email)]
    const deployment = small({ FILE_QUOTA_ORGANISATION: "150" })
    expect((await sendZeros(deployment, inEve, 100)).status).toBe(201)
    expect(await refused(sendZeros(deployment, inFrank, 51), 413)).toBe("quota_exceeded")
    expect((await sendZeros(deployment, inFrank, 50)).status).toBe(201)
    expect(await usageOf(organisation)).toEqual({ bytes: 150, files: 2 })
  })

  test("what is deleted makes room at once", async () => {
    const grace = await signedIn("grace")
    const deployment = small({ FILE_QUOTA_PERSON: "100" })
    const { id } = await read<{ id: string }>(sendZeros(deployment, grace, 100), 201)
    expect(await refused(sendZeros(deployment, grace, 1), 413)).toBe("quota_exceeded")
    expect((await call(grace, "DELETE", `/files/${id}`)).status).toBe(204)
    expect((await sendZeros(deployment, grace, 100)).status).toBe(201)
  })
})

describe("the sweep", () => {
  /** As a process leaves it that was killed in the middle: the row, and perhaps the content. */
  async function killed(at: number, withContent: boolean): Promise<string> {
    const id = crypto.randomUUID()
    await query(
      "INSERT INTO files (id, owner, state, name, type, size, createdAt) VALUES (?, ?, 'uploading', 'x', '', 7, ?)",
      id,
      alice.id,
      new Date(at).toISOString(),
    )
    if (withContent) await env.BLOBS.put(`files/${id}`, "content")
    return id
  }

  test("takes away what killed processes left, after two hours, and gives the room back", async () => {
    const now = Date.now()
    const before = await usageOf(alice.id)
    const old = [await killed(now - 3 * hour, true), await killed(now - 3 * hour, false)]
    const fresh = await killed(now - hour, true)
    const file = await upload(alice, "stays")
    await sweepAt(now)
    const left = await kept()
    expect(left).toContain(file.id)
    expect(left).toContain(fresh)
    for (const id of old) expect(left).not.toContain(id)
    const rows = await query("SELECT id FROM files WHERE id IN (?, ?)", ...old)
    expect(rows).toEqual([])
    expect(await contentOf(fetchFile(alice, file.id))).toEqual(bytesOf("stays"))
    await sweepAt(now + 2 * hour)
    expect(await kept()).not.toContain(fresh)
    await call(alice, "DELETE", `/files/${file.id}`)
    expect(await usageOf(alice.id)).toEqual(before)
  })

  test("takes away content that a deletion left behind", async () => {
    const file = await upload(alice, "gone")
    await query("UPDATE files SET state = 'deleted' WHERE id = ?", file.id)
    expect(await kept()).toContain(file.id)
    await sweepAt(Date.now())
    expect(await kept()).not.toContain(file.id)
    expect(await query("SELECT id FROM files WHERE id = ?", file.id)).toEqual([])
  })

  test("takes away the files of whoever deleted their account, and leaves everybody else's", async () => {
    const henry = await signedIn("henry")
    const [his, hers] = [await upload(henry, "his"), await upload(alice, "hers")]
    await sweepAt(Date.now())
    expect(await kept()).toContain(his.id)
    expect((await call(henry, "DELETE", "/auth/me")).status).toBe(204)
    await sweepAt(Date.now())
    const left = await kept()
    expect(left).not.toContain(his.id)
    expect(left).toContain(hers.id)
    expect(await usageOf(henry.id)).toEqual({ bytes: 0, files: 0 })
  })

  test("takes away the files of an organisation that was deleted, and never on the word of a projection", async () => {
    const iris = await signedIn("iris")
    const organisation = await organisationOf([[iris, ["owner"]]])
    const owner = await signIn(iris.email)
    const file = await upload(owner, "ours")
    await query("DELETE FROM member_organisations WHERE organisation = ?", organisation)
    await sweepAt(Date.now() + 25 * hour)
    expect(await kept()).toContain(file.id)
    expect((await call(owner, "DELETE", `/auth/organisations/${organisation}`)).status).toBe(204)
    await sweepAt(Date.now())
    expect(await kept()).not.toContain(file.id)
  })

  test("reads no more than it takes", async () => {
    const jack = await signedIn("jack")
    await upload(jack, "his")
    expect((await call(jack, "DELETE", "/auth/me")).status).toBe(204)
    const asked: Sql[] = []
    await sweepAt(Date.now(), asked)
    const searched = new Set<string | undefined>()
    for (const { text, params } of asked) {
      const plan = await query(`EXPLAIN QUERY PLAN ${text}`, ...params)
      const steps = plan.map(({ detail }) => String(detail))
      expect(
        steps.filter((step) => /^SCAN file|^SEARCH files .*\(id>/.test(step)),
        text,
      ).toEqual([])
      for (const step of steps) searched.add(/^SEARCH files .*INDEX files_(\w+)/.exec(step)?.[1])
    }
    const indexes = [...searched].filter(Boolean).sort()
    expect(indexes).toEqual(["organisation", "owner", "pending", "releasedAt", "state"])
  })
})

describe("an upload whose end the database did not tell", () => {
  test("is nowhere, as its sender was told", async () => {
    const before = [await kept(), await usageOf(bob.id), await query("SELECT id FROM files")]
    // It commits, and the answer is lost on the way.
    const losing = proxied(env.DB, {
      withSession: (session: D1DatabaseSession) =>
        proxied(session, {
          prepare: (statement: D1PreparedStatement, text: string) =>
            text.includes("state = 'stored', type") ? thatLoses(statement) : statement,
        }),
    })
    const answer = await sendTo({ ...env, DB: losing }, bob, "hello")
    expect(answer.status).toBeGreaterThanOrEqual(500)
    expect([await kept(), await usageOf(bob.id), await query("SELECT id FROM files")]).toEqual(
      before,
    )
  })
})

/** With some of its methods' results replaced by what is made of them. */
function proxied<T extends object>(
  target: T,
  // biome-ignore lint/suspicious/noExplicitAny: whatever the method gives and takes
  replaced: Record<string, (result: any, ...parameters: any[]) => unknown>,
): T {
  return new Proxy(target, {
    get(_, name) {
      const member = Reflect.get(target, name)
      if (typeof member !== "function") return member
      const replace = replaced[name as string]
      return (...parameters: unknown[]) => {
        const result = member.apply(target, parameters)
        return replace ? replace(result, ...parameters) : result
      }
    },
  })
}

/** Does what it says, and then fails. */
const thatLoses = (statement: D1PreparedStatement): D1PreparedStatement =>
  proxied(statement, {
    bind: thatLoses,
    all: (result: Promise<unknown>) =>
      result.then(() => {
        throw new Error("Network connection lost.")
      }),
  })
