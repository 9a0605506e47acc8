import { env } from "cloudflare:workers"
import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { openForm } from "../../../src/core/files/form.ts"
import { hush } from "../../support/hush.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import {
  boundary,
  bytesOf,
  type Content,
  contentOf,
  fetchFile,
  fileHead,
  formEnd,
  formOf,
  join,
  kept,
  read,
  refused,
  sendTo,
  sha256Of,
  usageOf,
} from "./cast.ts"

const { env: variables = {} } = import.meta as { env?: Readonly<Record<string, string>> }
const seed = Number(variables.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))

let alice: Person
beforeAll(async () => {
  hush("info")
  alice = await signedIn("alice")
})

const field = (name: string, value: string) =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

const post = (
  body: Content | ReadableStream<Uint8Array>,
  length: number,
  { headers = {}, deployment = env, as = alice as Person | null } = {},
) =>
  sendTo(deployment, as, body, {
    "content-type": `multipart/form-data; boundary=${boundary}`,
    "content-length": String(length),
    ...headers,
  })

const sendForm = (form: Content, options = {}) => post(form, bytesOf(form).length, options)

const sendInPieces = (form: Uint8Array, size: number) => {
  let at = 0
  const body = new ReadableStream<Uint8Array>({
    type: "bytes",
    pull(controller) {
      if (at < form.length) controller.enqueue(form.slice(at, at + size))
      else controller.close()
      at += size
    },
  })
  return post(body, form.length)
}

describe("a form", () => {
  test("becomes the file in it, read back to the byte, with what its fields say", async () => {
    const content = crypto.getRandomValues(new Uint8Array(60_000))
    const file = await read<StoredFile>(
      sendForm(join(field("name", "Ä photo.bin"), formOf(content))),
      201,
    )
    expect(file).toMatchObject({
      name: "Ä photo.bin",
      type: "application/octet-stream",
      sizeBytes: 60_000,
      sha256: await sha256Of(content),
    })
    expect(await contentOf(fetchFile(alice, file.id))).toEqual(content)
  })

  test.each([0, 1, 65_400, 262_145, 3_000_000])(
    "with a file of %i bytes, full of what looks like its boundary, loses none",
    async (size) => {
      const near = bytesOf(`\r\n--${boundary.slice(0, -1)}\r\r\n`)
      const content = new Uint8Array(size).map((_, i) => near[i % near.length] as number)
      const file = await read<StoredFile>(sendForm(formOf(content)), 201)
      expect(file).toMatchObject({ sizeBytes: size, sha256: await sha256Of(content) })
    },
  )

  test("that arrives byte by byte is the same", async () => {
    const content = `hello\r\n--${boundary.slice(0, -1)}\r\n world`
    const form = join(field("name", "slow.txt"), formOf(content))
    for (const size of [1, 7, form.length - 1]) {
      const file = await read<StoredFile>(sendInPieces(form, size), 201)
      expect(file).toMatchObject({ name: "slow.txt", sha256: await sha256Of(content) })
    }
  })

  test("is what fetch makes of FormData, whatever the file is called", async () => {
    // What workerd writes has no line end at its end, and browsers' has one.
    const made = new Request("http://127.0.0.1/", {
      method: "POST",
      body: (() => {
        const form = new FormData()
        form.set("name", "from a form.txt")
        form.set("upload", new Blob(["hello"], { type: "text/plain" }), 'q"uote.txt')
        return form
      })(),
    })
    const type = made.headers.get("content-type") as string
    const text = (await made.text()).replace(/(?:\r\n)?$/, "\r\n")
    const file = await read<StoredFile>(sendForm(text, { headers: { "content-type": type } }), 201)
    expect(file).toMatchObject({ name: "from a form.txt", type: "text/plain", sizeBytes: 5 })
  })

  const head = fileHead()
  test.each<[what: string, form: Content, code: string]>([
    ["without a file", join(field("name", "x"), `--${boundary}--\r\n`), "file_missing"],
    ["with nothing chosen", formOf("", 'name="file"; filename=""'), "file_missing"],
    ["with a second file", join(head, "one\r\n", formOf("two")), "last_part"],
    [
      "with a field after the file",
      join(head, "one\r\n", field("name", "x"), formEnd.slice(2)),
      "last_part",
    ],
    ["with words behind its end", join(formOf("one"), "and so on"), "form"],
    ["with words before its beginning", join("Hello\r\n", formOf("one")), "form"],
    ["that ends without a line end", join(head, "one", formEnd.slice(0, -2)), "form"],
    ["that has no end", join(head, "one"), "file_missing"],
    ["whose end is another boundary's", join(head, "one", `\r\n--${boundary}x-\r\n`), "form"],
    ["of parts without names", formOf("one", 'filename="x"'), "form"],
    [
      "with fields that are no fields",
      join(field("colour", "red"), formOf("one")),
      "unknown_field",
    ],
    ["with __proto__ for a field", join(field("__proto__", "red"), formOf("one")), "unknown_field"],
    ["that is none", "hello", "file_missing"],
    ["of nothing", "", "file_missing"],
  ])("%s is refused, and leaves nothing", async (_, form, code) => {
    const before = [await kept(), await usageOf(alice.id)]
    const refusal = await read<{ code: string; errors: { code: string }[] }>(sendForm(form), 400)
    expect(refusal).toMatchObject({ code: "invalid_input", errors: [{ code }] })
    expect([await kept(), await usageOf(alice.id)]).toEqual(before)
  })

  test("whose fields go on and on is refused while they do", async () => {
    const long = join(field("name", "x".repeat(60_000)), formOf("one"))
    expect(await refused(sendForm(long), 413)).toBe("payload_too_large")
    expect(await refused(sendInPieces(long, 1_000), 413)).toBe("payload_too_large")
  })

  test("that breaks off leaves nothing", async () => {
    const before = [await kept(), await usageOf(alice.id)]
    const form = formOf("x".repeat(100_000))
    const { errors } = await read<{ errors: { code: string }[] }>(
      post(form.slice(0, 70_000), form.length),
      400,
    )
    expect(errors[0]?.code).toMatch(/form|broken_off|length/)
    expect([await kept(), await usageOf(alice.id)]).toEqual(before)
  })

  test("that says no boundary, or no length, is refused", async () => {
    const unbounded = { headers: { "content-type": "multipart/form-data" } }
    expect(await refused(sendForm(formOf("x"), unbounded), 400)).toBe("invalid_input")
    const quoted = { headers: { "content-type": `multipart/form-data; boundary="${boundary}"` } }
    expect((await sendForm(formOf("x"), quoted)).status).toBe(201)
    const wordy = { headers: { "content-length": "many" } }
    expect(await refused(sendForm(formOf("x"), wordy), 400)).toBe("invalid_input")
  })

  test("of another site is refused, whosever cookie comes with it", async () => {
    const cookie = `__Host-access=${alice.token}`
    const from = (headers: Record<string, string>) =>
      sendForm(formOf("x"), { as: null, headers: { cookie, ...headers } })
    const before = await kept()
    expect(await refused(from({ origin: "https://evil.example" }), 403)).toBe("forbidden")
    expect(await refused(from({ origin: "null" }), 403)).toBe("forbidden")
    expect(await refused(from({ "sec-fetch-site": "cross-site" }), 403)).toBe("forbidden")
    expect(await refused(from({}), 403)).toBe("forbidden")
    expect(await kept()).toEqual(before)
    expect((await from({ origin: "http://127.0.0.1" })).status).toBe(201)
    expect(await refused(sendForm(formOf("x"), { as: null }), 401)).toBe("unauthenticated")
  })

  test("of fifty at once against a person's quota, as many are kept as fit, and no more", async () => {
    const dave = await signedIn("dave")
    const deployment = { ...env, FILE_QUOTA_PERSON: "1000", FILE_MAX_BYTES: "100" }
    const form = formOf("x".repeat(100))
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => sendForm(form, { deployment, as: dave })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10)
    const others = answers.filter(({ status }) => status !== 201)
    for (const answer of others) expect(await refused(answer, 413)).toBe("quota_exceeded")
    expect(await usageOf(dave.id)).toEqual({ bytes: 1_000, files: 10 })
    const large = sendForm(formOf("x".repeat(101)), { deployment, as: dave })
    expect(await refused(large, 413)).toBe("payload_too_large")
  })

  test.each<[content: Content, type: string]>([
    ["<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "image/svg+xml"],
    ["<!DOCTYPE html><script>alert(1)</script>", "text/html"],
  ])("cannot make a page of ours by saying that it holds an image: %s", async (content, type) => {
    const file = await read<StoredFile>(sendForm(formOf(content, undefined, "image/png")), 201)
    expect(file.type).toBe(type)
    const { headers } = await fetchFile(alice, file.id)
    expect(headers.get("content-disposition")).toMatch(/^attachment/)
    expect(headers.get("content-security-policy")).toMatch(/default-src 'none'.*; sandbox$/)
  })
})

describe("what a file in a form is called", () => {
  test.each([
    ['name="f"; filename="plain.txt"', "plain.txt"],
    ['name="f"; filename="日本 é.txt"', "日本 é.txt"],
    ['name="f"; filename="a%22b%0D%0Ac.txt"', "a_bc.txt"],
    ['name="f"; filename="100%25.txt"', "100_25.txt"],
    ['name="f"; filename="a\\"b.txt"', "a_b.txt"],
    ['name="f"; filename="C:\\fakepath\\photo.txt"', "photo.txt"],
    ['name="f"; filename="../../etc/passwd"', "passwd"],
    ['name="f"; filename="invoice\u202Efdp.exe"', "invoicefdp.exe"],
    ['name="f"; filename="a\u200Fb\u2066c\0.txt"', "abc.txt"],
    ['name="f"; filename="x\tSet-Cookie: a=b.txt"', "xSet-Cookie_ a=b.txt"],
    ['name="f"; filename="<script>.html"', "_script_.html"],
    [`name="f"; filename="${"é".repeat(4_000)}.png"`, `${"é".repeat(125)}.png`],
    ["name=\"f\"; filename*=utf-8''%e2%82%ac.txt", "€.txt"],
    ['name="../../x"; filename=".."', "file"],
    ['name="a%22; filename=%22b"; filename="c.txt"', "c.txt"],
  ])("%s", async (disposition, name) => {
    expect(await read(sendForm(formOf("x", disposition)), 201)).toMatchObject({ name })
  })

  test("no header is smuggled in by a name", async () => {
    const smuggled = fileHead('name="f"; filename="x\r\nContent-Type: text/html"')
    const answer = await sendForm(join(smuggled, "hello", formEnd))
    expect(await refused(answer, 400)).toBe("invalid_input")
  })
})

test(`of any content, in any chunks, a form gives back what went in, or refuses (seed ${seed})`, async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .constantFrom("\r\n", `\r\n--${boundary}`, `\r\n--${boundary.slice(0, 9)}`, "--")
      .map((text) => bytesOf(text)),
  )
  const input = fc.tuple(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(30), { minLength: 1 }))
  await fc.assert(
    fc.asyncProperty(input, async ([pieces, sizes]) => {
      const content = Buffer.concat(pieces)
      const whole = Buffer.concat([Buffer.from(fileHead()), content, Buffer.from(formEnd)])
      const chunks = async function* () {
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = (sizes[i % sizes.length] as number) + 1
          yield new Uint8Array(whole.subarray(at, at + size))
          at += size
        }
      }
      const holdsDelimiter = content.includes(`\r\n--${boundary}`)
      const reading = async () => {
        const form = await openForm(
          `multipart/form-data; boundary=${boundary}`,
          whole.length,
          chunks(),
        )
        const got: Uint8Array[] = []
        for await (const chunk of form.file.content) got.push(chunk.slice())
        return [form.file.sizeBytes, Buffer.concat(got).toString("hex")]
      }
      if (holdsDelimiter) await expect(reading()).rejects.toThrow("nothing after it")
      else expect(await reading()).toEqual([content.length, content.toString("hex")])
    }),
    { seed, numRuns: 300 },
  )
})

test("the documentation says that a form may be sent, and what it has", async () => {
  const document = (await (await call(null, "GET", "/openapi.json")).json()) as {
    paths: Record<string, { post?: { requestBody: { content: object } } }>
    components: { schemas: Record<string, { properties: object }> }
  }
  const { content } = document.paths["/files"]?.post?.requestBody ?? { content: {} }
  expect(Object.keys(content)).toEqual(["application/octet-stream", "multipart/form-data"])
  expect(document.components.schemas.FileForm?.properties).toMatchObject({
    file: { contentMediaType: "application/octet-stream" },
  })
})
