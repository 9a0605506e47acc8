import { env } from "cloudflare:workers"
import fc from "fast-check"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { rangeOf } from "../../../src/core/files/download.ts"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { callAt } from "../../support/deployment.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn, signIn } from "../../support/people.ts"
import { organisationOf } from "../identity/api-key-cast.ts"
import { bytesOf, contentOf, fetchFile, read, refused, upload } from "./cast.ts"

const text = "0123456789"
const people: Record<string, Person | null> = { anonymous: null }
let file: StoredFile
let other: StoredFile
beforeAll(async () => {
  hush("info", "error")
  const { email } = await signedIn("alice")
  await organisationOf([[await signIn(email), ["owner"]]])
  // The same person in an organisation, and outside of all, where the files are.
  const elsewhere = await signIn(email)
  const { accessToken } = await read<{ accessToken: string }>(
    call(elsewhere, "PUT", "/auth/sessions/current/organisation", { organisation: null }),
    200,
  )
  const alice: Person = { ...elsewhere, token: accessToken }
  people.owner = alice
  people["owner elsewhere"] = elsewhere
  people.stranger = await signedIn("stranger")
  people.editor = await signedIn("editor", ["editor"])
  people.administrator = await signedIn("administrator", ["administrator"])
  file = await upload(alice, text, { "content-disposition": 'inline; filename="digits.txt"' })
  other = await upload(alice, "another")
  const member = await signedIn("member")
  await organisationOf([[member, []]], "second")
  people["member of another organisation"] = await signIn(member.email)
})

const linkTo = async (id: string, expiresInSeconds = 60): Promise<string> =>
  (
    await read<{ url: string }>(
      call(people.owner ?? null, "POST", `/files/${id}/links`, { expiresInSeconds }),
      201,
    )
  ).url

describe("who reaches a file", () => {
  const paths = [
    ["reads it", "GET", "", {}],
    ["asks what it is", "HEAD", "", {}],
    ["reads a part", "GET", "", { range: "bytes=2-3" }],
    ["asks whether it changed", "GET", "", { "if-none-match": "*" }],
    ["downloads it", "GET", "?download=true", {}],
    ["sees it in a size", "GET", "?preset=thumb", {}],
    ["shares it", "POST", "/links", {}],
    ["deletes it", "DELETE", "", {}],
  ] as const
  const strangers = [
    ["anonymous", 401],
    ["stranger", 404],
    ["editor", 404],
    ["administrator", 404],
    ["owner elsewhere", 404],
    ["member of another organisation", 404],
  ] as const
  test.each(
    strangers.flatMap(([who, status]) =>
      paths.map(
        ([what, method, rest, headers]) => [who, what, status, method, rest, headers] as const,
      ),
    ),
  )(
    "%s who %s is told what is told of a file that is not there",
    async (who, _, status, method, rest, headers) => {
      const body = method === "POST" ? {} : undefined
      const ask = async (id: string) => {
        const answer = await call(people[who] ?? null, method, `/files/${id}${rest}`, body, headers)
        const { requestId: _id, ...problem } = JSON.parse((await answer.text()) || "{}")
        const { rowsRead: _rows, ...cost } = costOf(answer)
        const told = [...answer.headers].filter(
          ([name]) => !/^(?:x-request-id|server-timing|set-cookie|x-bookmark)$/.test(name),
        )
        return { status: answer.status, problem, cost, told }
      }
      const there = await ask(file.id)
      expect(there.status).toBe(status)
      expect(there).toEqual(await ask(crypto.randomUUID()))
    },
  )

  test("the owner reads it by each way, in one trip", async () => {
    const owner = people.owner ?? null
    const whole = await fetchFile(owner, file.id)
    expect(costOf(whole).trips).toBe(1)
    expect(costOf(whole).rowsRead).toBeLessThanOrEqual(4)
    expect(await contentOf(whole)).toEqual(bytesOf(text))
    const head = await fetchFile(owner, file.id, {}, "HEAD")
    expect(head.status).toBe(200)
    expect(head.headers.get("content-length")).toBe("10")
    expect(head.headers.get("etag")).toBe(whole.headers.get("etag"))
    expect(await head.text()).toBe("")
  })

  test("a list holds the caller's own, page by page, and nobody else's", async () => {
    const lister = await signedIn("lister")
    const ids: string[] = []
    for (const name of ["a", "b", "c"]) ids.unshift((await upload(lister, name)).id)
    type Page = { items: StoredFile[]; next: string | null }
    const first = await call(lister, "GET", "/files?limit=2")
    expect(costOf(first).trips).toBe(1)
    expect(first.headers.get("link")).toContain('rel="next"')
    const page = await read<Page>(first, 200)
    const last = await read<Page>(call(lister, "GET", `/files?limit=2&cursor=${page.next}`), 200)
    expect([...page.items, ...last.items].map(({ id }) => id)).toEqual(ids)
    expect(last.next).toBe(null)
    const nobody = await read<Page>(call(people.stranger ?? null, "GET", "/files"), 200)
    expect(nobody.items).toEqual([])
  })

  test("what was deleted is gone for its owner, and for links", async () => {
    const owner = people.owner ?? null
    const gone = await upload(owner as Person, "soon gone")
    const url = await linkTo(gone.id)
    expect(await contentOf(call(null, "GET", url))).toEqual(bytesOf("soon gone"))
    expect((await call(owner, "DELETE", `/files/${gone.id}`)).status).toBe(204)
    expect(await refused(call(null, "GET", url), 404)).toBe("not_found")
    expect(await refused(fetchFile(owner, gone.id), 404)).toBe("not_found")
    expect(await refused(call(owner, "DELETE", `/files/${gone.id}`), 404)).toBe("not_found")
  })

  test.each(["x", "1", "..%2f", "%00", "A".repeat(36)])(
    "an id such as %s is one of nothing",
    async (id) => {
      expect(await refused(fetchFile(people.owner ?? null, id), 404)).toBe("not_found")
    },
  )
})

describe("a link", () => {
  test("lets anybody read this file, whole and in parts, in one trip", async () => {
    const url = await linkTo(file.id)
    for (const as of Object.values(people)) {
      const answer = await call(as, "GET", url)
      expect(costOf(answer).trips).toBe(1)
      expect(answer.headers.get("cross-origin-resource-policy")).toBe("cross-origin")
      expect(answer.headers.get("cache-control")).toBe("private, no-cache")
      expect(await contentOf(answer)).toEqual(bytesOf(text))
    }
    expect(await contentOf(call(null, "GET", url, undefined, { range: "bytes=-3" }), 206)).toEqual(
      bytesOf("789"),
    )
    expect((await call(null, "HEAD", url)).status).toBe(200)
  })

  test("leads to the database of the file's organisation", async () => {
    const member = people["member of another organisation"] as Person
    const there = await upload(member, "in the second database")
    const { url } = await read<{ url: string }>(
      call(member, "POST", `/files/${there.id}/links`, {}),
      201,
    )
    expect(await contentOf(call(null, "GET", url))).toEqual(bytesOf("in the second database"))
    const elsewhere = url.replace(".second.", ".main.")
    expect(elsewhere).not.toBe(url)
    expect(await refused(call(null, "GET", elsewhere), 401)).toBe("code_invalid")
  })

  test("is good for reading, and nothing else", async () => {
    const url = await linkTo(file.id)
    expect(await refused(call(null, "DELETE", url), 401)).toBe("unauthenticated")
    expect(await refused(call(people.stranger ?? null, "DELETE", url), 404)).toBe("not_found")
    const link = url.split("?")[1]
    expect(await refused(call(null, "POST", `/files/${file.id}/links?${link}`, {}), 401)).toBe(
      "unauthenticated",
    )
  })

  test("for another file, tampered with, cut or made up is refused, also to the owner", async () => {
    const url = await linkTo(file.id)
    const [key, database, expiry, mac] = (url.split("link=")[1] as string).split(".") as [
      string,
      string,
      string,
      string,
    ]
    const flipped = (mac[0] === "A" ? "B" : "A") + mac.slice(1)
    const wrong = [
      url.replace(file.id, other.id),
      ...[
        `${key}.${database}.${Number(expiry) + 1}.${mac}`,
        `${key}.${database}.${expiry}.${flipped}`,
        `${key}.${database}.${expiry}.${mac.slice(0, -1)}`,
        `${key}.${database}.${expiry}.${mac}.`,
        `${key}.${database}.${expiry}.`,
        `${key}.${database}.0${expiry}.${mac}`,
        `00000000.${database}.${expiry}.${mac}`,
        `${key}..${expiry}.${mac}`,
        "...",
        "",
        "%00",
        "x".repeat(9_000),
      ].map((link) => `/files/${file.id}?link=${link}`),
    ]
    for (const address of wrong) {
      for (const as of [null, people.owner ?? null]) {
        expect(await refused(call(as, "GET", address), 401), address).toBe("code_invalid")
      }
    }
    expect(await contentOf(call(null, "GET", url))).toEqual(bytesOf(text))
  })

  test("is good up to its end", async () => {
    const url = await linkTo(file.id, 3)
    expect((await call(null, "GET", url)).status).toBe(200)
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 4_000 })
    try {
      expect(await refused(callAt(env, null, "GET", url), 401)).toBe("code_invalid")
    } finally {
      vi.useRealTimers()
    }
  })

  test("outlives a change of the secret while the former one is told, and not longer", async () => {
    const url = await linkTo(file.id)
    const changed = { ...env, SECRET: "another-secret-another-secret-another-secret" }
    const ask = (deployment: object) => callAt(deployment, null, "GET", url)
    expect(await refused(ask(changed), 401)).toBe("code_invalid")
    const answer = await ask({ ...changed, FORMER_SECRET: env.SECRET })
    expect(await contentOf(answer)).toEqual(bytesOf(text))
  })

  test.each([0, -1, 604_801, 1.5, "60", null])(
    "for %j seconds is not made",
    async (expiresInSeconds) => {
      const answer = call(people.owner ?? null, "POST", `/files/${file.id}/links`, {
        expiresInSeconds,
      })
      expect(await refused(answer, 400)).toBe("invalid_input")
    },
  )
})

describe("parts and conditions", () => {
  test.each([
    ["bytes=0-0", "0", "bytes 0-0/10"],
    ["bytes=2-4", "234", "bytes 2-4/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-2", "89", "bytes 8-9/10"],
    ["bytes=-99", text, "bytes 0-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
    ["Bytes=1-1", "1", "bytes 1-1/10"],
  ])("Range: %s is answered with %s", async (range, expected, contentRange) => {
    const answer = await fetchFile(people.owner ?? null, file.id, { range })
    expect(answer.headers.get("content-range")).toBe(contentRange)
    expect(answer.headers.get("content-length")).toBe(String(expected.length))
    expect(await contentOf(answer, 206)).toEqual(bytesOf(expected))
  })

  test.each([
    "bytes=0-1,3-4",
    "bytes=4-2",
    "bytes=-",
    "bytes=a-b",
    "lines=0-1",
    "",
    "bytes=1",
    "bytes=1-1-1",
  ])("Range: %s is passed over, and all of it is answered", async (range) => {
    expect(await contentOf(fetchFile(people.owner ?? null, file.id, { range }))).toEqual(
      bytesOf(text),
    )
  })

  test.each(["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=999999999999999-"])(
    "Range: %s is beyond it",
    async (range) => {
      const answer = await fetchFile(people.owner ?? null, file.id, { range })
      expect(answer.headers.get("content-range")).toBe("bytes */10")
      expect(await refused(answer, 416)).toBe("range_not_satisfiable")
    },
  )

  test("If-Range answers the part of what the caller has, and all of anything else", async () => {
    const etag = `"${file.sha256}"`
    const ask = (condition: string) =>
      fetchFile(people.owner ?? null, file.id, { range: "bytes=0-1", "if-range": condition })
    expect(await contentOf(ask(etag), 206)).toEqual(bytesOf("01"))
    for (const stale of ['"x"', `W/${etag}`, "Wed, 21 Oct 2026 07:28:00 GMT"]) {
      expect(await contentOf(ask(stale))).toEqual(bytesOf(text))
    }
  })

  test("HEAD passes ranges over", async () => {
    const answer = await fetchFile(people.owner ?? null, file.id, { range: "bytes=0-1" }, "HEAD")
    expect([answer.status, answer.headers.get("content-length")]).toEqual([200, "10"])
  })

  test("what the caller has is not sent again", async () => {
    const etag = `"${file.sha256}"`
    for (const known of [etag, `W/${etag}`, `"a", ${etag}`, "*"]) {
      const answer = await fetchFile(people.owner ?? null, file.id, { "if-none-match": known })
      expect([answer.status, await answer.text()]).toEqual([304, ""])
      expect(answer.headers.get("etag")).toBe(etag)
      expect(answer.headers.get("cache-control")).toBe("private, no-cache")
    }
    const changed = fetchFile(people.owner ?? null, file.id, { "if-none-match": '"other"' })
    expect(await contentOf(changed)).toEqual(bytesOf(text))
  })

  test("an empty file has no part", async () => {
    const empty = await upload(people.owner as Person, "")
    expect(await contentOf(fetchFile(people.owner ?? null, empty.id))).toHaveLength(0)
    for (const range of ["bytes=0-", "bytes=-1", "bytes=0-0"]) {
      expect((await fetchFile(people.owner ?? null, empty.id, { range })).status).toBe(416)
    }
  })

  const { env: variables = {} } = import.meta as { env?: Readonly<Record<string, string>> }
  const seed = Number(variables.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
  test(`whatever range is asked for, a part lies within the file (seed ${seed})`, () => {
    const edge = fc.option(fc.nat(40).map(String), { nil: "" })
    fc.assert(
      fc.property(edge, edge, fc.nat(20), (first, last, size) => {
        try {
          const range = rangeOf(`bytes=${first}-${last}`, size)
          if (range === null) return
          expect(range.length).toBeGreaterThan(0)
          expect(range.offset).toBeGreaterThanOrEqual(0)
          expect(range.offset + range.length).toBeLessThanOrEqual(size)
          if (first !== "") expect(range.offset).toBe(Number(first))
          if (first === "") expect(range.offset + range.length).toBe(size)
        } catch (error) {
          if (!(error instanceof Problem)) throw error
          expect(first === "" ? Number(last) === 0 || size === 0 : Number(first) >= size).toBe(true)
        }
      }),
      { seed },
    )
  })
})
