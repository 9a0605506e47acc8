import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { type Answer, decode, encode, type Packet, type Question } from "dns-packet"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { resolverAt } from "../../src/platform/dns-over-https.ts"
import { refusalNow } from "../../src/platform/outbound-address.ts"

/* A resolver as RFC 8484 describes it, whose messages another's library reads and writes. */

let server: Server
let url: string
let asked: Question[] = []
let answer: (question: Question) => Partial<Packet> & { flags?: number }
/** What is sent in the place of an answer. */
let instead: ((bytes: Buffer) => Buffer | number | null) | null
beforeAll(async () => {
  server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    expect(request.method).toBe("POST")
    expect(request.headers["content-type"]).toBe("application/dns-message")
    const query = decode(Buffer.concat(pieces))
    expect(query).toMatchObject({ type: "query", id: 0, flag_rd: true })
    const question = query.questions?.[0] as Question
    asked.push(question)
    const { flags = 0, ...more } = answer(question)
    const bytes = encode({ type: "response", id: 0, flags, questions: [question], ...more })
    const sent = instead ? instead(bytes) : bytes
    if (sent === null) return
    if (typeof sent === "number") return void response.writeHead(sent).end()
    response.writeHead(200, { "content-type": "application/dns-message" }).end(sent)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
})
beforeEach(() => {
  asked = []
  instead = null
  answer = () => ({ answers: [] })
})

const name = "hooks.partner.com"
const a = (data: string, of = name): Answer => ({ type: "A", name: of, ttl: 60, data })
const aaaa = (data: string, of = name): Answer => ({ type: "AAAA", name: of, ttl: 60, data })
const cname = (of: string, data: string): Answer => ({ type: "CNAME", name: of, ttl: 60, data })
const having =
  (...answers: Answer[]) =>
  ({ type }: Question) => ({
    answers: answers.filter((one) => one.type === type || one.type === "CNAME"),
  })
const resolve = (hostname: string) => resolverAt({ url, timeout: 300 })(hostname)
const refusal = () => refusalNow(`https://${name}/`, { loopback: false, resolve })

test("a name is asked for both kinds of addresses, and has those of either", async () => {
  answer = having(
    a("93.184.216.34"),
    a("93.184.216.35"),
    aaaa("2606:2800:220:1:248:1893:25c8:1946"),
  )
  expect((await resolve(name)).toSorted()).toEqual([
    "2606:2800:220:1:248:1893:25c8:1946",
    "93.184.216.34",
    "93.184.216.35",
  ])
  expect(
    asked.map((question) => [question.name, question.type, question.class]).toSorted(),
  ).toEqual([
    [name, "A", "IN"],
    [name, "AAAA", "IN"],
  ])
  expect(await refusal()).toBeNull()
})

const chain = [cname(name, "edge.example.net"), cname("edge.example.net", "a.b.example.org")]

test.each<[string, Answer[], string | null]>([
  ["a public address", [a("8.8.8.8")], null],
  ["a public address of IPv6", [aaaa("2606:4700::1111")], null],
  ["names on the way to a public address", [...chain, a("8.8.8.8", "a.b.example.org")], null],
  ["names on the way to a private one", [...chain, a("10.0.0.1", "a.b.example.org")], "private"],
  ["a private one beside public ones", [a("8.8.8.8"), a("169.254.169.254")], "private"],
  ["a public IPv4 and a private IPv6", [a("8.8.8.8"), aaaa("fd00::1")], "private"],
  ["IPv6 that holds a private IPv4", [aaaa("::ffff:127.0.0.1")], "private"],
  ["loopback of IPv6", [aaaa("::1")], "private"],
  ["names that end nowhere", chain, "host"],
  ["nothing", [], "host"],
])("%s: %j", async (_, answers, expected) => {
  answer = having(...answers)
  expect(await refusal()).toBe(expected)
})

test("a name that is not there has no addresses", async () => {
  answer = () => ({ flags: 3, answers: [] })
  expect(await resolve(name)).toEqual([])
  expect(await refusal()).toBe("host")
})

test.each<[string, () => void]>([
  ["SERVFAIL", () => (answer = () => ({ flags: 2, answers: [a("8.8.8.8")] }))],
  ["REFUSED", () => (answer = () => ({ flags: 5 }))],
  [
    "an answer that was cut off",
    () => (answer = () => ({ flags: 0x0200, answers: [a("8.8.8.8")] })),
  ],
  ["a question for an answer", () => (answer = () => ({ type: "query", answers: [a("8.8.8.8")] }))],
  ["half a message", () => (instead = (bytes) => bytes.subarray(0, bytes.length - 3))],
  ["a message without a header", () => (instead = () => Buffer.from([0, 0]))],
  ["an error of HTTP", () => (instead = () => 503)],
  ["a redirect", () => (instead = () => 302)],
  ["silence", () => (instead = () => null)],
])("with %s nobody can say, for either kind of address", async (_, set) => {
  answer = having(a("8.8.8.8"))
  set()
  await expect(refusal()).rejects.toThrow()
  // One kind alone says nothing.
  const broken = { answer, instead }
  answer = (question) =>
    question.type === "A" ? having(a("8.8.8.8"))(question) : broken.answer(question)
  if (broken.instead) {
    const { instead: other } = broken
    let count = 0
    instead = (bytes) => (count++ === 0 ? bytes : other(bytes))
  }
  await expect(refusal()).rejects.toThrow()
})

test("what is no name of DNS is not asked for", async () => {
  for (const wrong of ["a..com", `${"x".repeat(64)}.com`, `${"abcdefg.".repeat(40)}com`]) {
    await expect(resolve(wrong)).rejects.toThrow()
  }
  expect(asked).toEqual([])
})
