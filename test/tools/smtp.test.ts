import { writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build } from "esbuild"
import fc from "fast-check"
import { type AddressObject, type ParsedMail, simpleParser } from "mailparser"
import { SMTPServer, type SMTPServerOptions } from "smtp-server"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import type { Message, Outcome } from "../../src/core/mail/mailer.ts"
import { parseSettings } from "../../src/platform/settings.ts"
import { certificate, certificateKey } from "../support/smtp-certificate.ts"
import type { SmtpErrand } from "../support/smtp-worker.ts"

/*
 * The SMTP driver inside workerd, against servers that nobody here wrote (smtp-server, mailparser), and against some that
 * behave badly.
 */

type Dispatch = (path: string, init?: { method: string; body: string }) => Promise<Response>
let dispatch: Dispatch
const stops: (() => Promise<void>)[] = []
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "smtp-"))
  const bundle = await build({
    entryPoints: ["test/support/smtp-worker.ts"],
    bundle: true,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*"],
    write: false,
  })
  const script = bundle.outputFiles[0]?.text as string
  const { Miniflare, convertV4MiniflareOptions } = await trusting(() => import("miniflare"))
  const start = async (): Promise<Dispatch> => {
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        modules: true,
        script,
        host: "127.0.0.1",
        cf: false,
        compatibilityDate: "2026-11-17",
        compatibilityFlags: ["nodejs_compat"],
      }),
    )
    await miniflare.ready
    stops.push(() => miniflare.dispose())
    return (path, init) =>
      miniflare.dispatchFetch(`http://worker${path}`, init) as unknown as Promise<Response>
  }
  dispatch = await start()
})

afterAll(async () => {
  for (const stop of stops) await stop()
  await rm(directory, { recursive: true, force: true })
})

/** Miniflare reads once, when it is loaded, which certificates its workers shall trust besides those of the browsers. */
async function trusting<Module>(load: () => Promise<Module>): Promise<Module> {
  const file = join(directory, "certificate.pem")
  writeFileSync(file, certificate)
  process.env.NODE_EXTRA_CA_CERTS = file
  try {
    return await load()
  } finally {
    delete process.env.NODE_EXTRA_CA_CERTS
  }
}

interface Received {
  readonly raw: string
  readonly mail: ParsedMail
  readonly from: string
  readonly to: string[]
  readonly secure: boolean
  readonly user: unknown
}

let received: Received[] = []
const open: { close(): void }[] = []
afterEach(() => {
  received = []
  for (const server of open.splice(0)) server.close()
})

/** A real server on the loopback interface; answers its port. */
async function serve(options: SMTPServerOptions = {}): Promise<number> {
  const server = new SMTPServer({
    authOptional: true,
    key: certificateKey,
    cert: certificate,
    disabledCommands: ["STARTTLS"],
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on("data", (chunk: Buffer) => chunks.push(chunk))
      stream.on("end", async () => {
        const raw = Buffer.concat(chunks)
        const { mailFrom, rcptTo } = session.envelope
        received.push({
          raw: raw.toString("latin1"),
          mail: await simpleParser(raw),
          from: mailFrom ? mailFrom.address : "",
          to: rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: session.user,
        })
        done(null)
      })
    },
    ...options,
  })
  server.on("error", () => {})
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push({ close: () => server.close(() => {}) })
  return (server.server.address() as { port: number }).port
}

/** A server that says what `answer` makes of each line, and nothing more; null closes. */
async function improvise(answer: (line: string) => string | null | undefined): Promise<number> {
  const server: Server = createServer((socket: Socket) => {
    socket.on("error", () => {})
    let inData = false
    let rest = ""
    const respond = (line: string) => {
      const reply = answer(line)
      if (reply === null) socket.destroy()
      else if (reply !== undefined) socket.write(`${reply}\r\n`)
      return reply
    }
    respond("")
    socket.on("data", (chunk) => {
      rest += chunk.toString("latin1")
      for (;;) {
        const end = inData ? rest.indexOf("\r\n.\r\n") : rest.indexOf("\r\n")
        if (end < 0) return
        const line = inData ? "." : rest.slice(0, end)
        rest = rest.slice(end + (inData ? 5 : 2))
        inData = respond(line)?.startsWith("354") ?? false
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push(server)
  return (server.address() as { port: number }).port
}

/** A well-behaved one, but for what `odd` says. */
const mostlyGood =
  (odd: (line: string) => string | null | undefined) =>
  (line: string): string | null | undefined => {
    const answer = odd(line)
    if (answer !== undefined) return answer === "" ? undefined : answer
    if (line === "") return "220 here"
    if (line === "DATA") return "354 go on"
    return /^QUIT/.test(line) ? "221 bye" : "250 fine"
  }

const message: Message = {
  id: "019aa2c5-7d00-7000-8000-00000000000a",
  to: { email: "ann@example.net", name: "Ann" },
  subject: "Hello",
  text: "Hello",
  html: "<p>Hello</p>",
  createdAt: "2026-11-21T04:00:00.000Z",
  headers: { "Auto-Submitted": "auto-generated" },
}

/** What no deployment is without. */
const required = {
  SECRET: "x".repeat(32),
  SIGNING_KEYS: JSON.stringify([{ kid: "k", kty: "OKP", crv: "Ed25519", x: "", d: "" }]),
}

const settings = (url: string): SmtpErrand["mail"] => ({
  driver: "smtp",
  from: { email: "films@example.org", name: "Filmklub Zürich" },
  smtp: parseSettings({ ...required, SMTP_URL: url }).mail.smtp,
  resendApiKey: null,
  resendUrl: "",
  resendWebhookSecret: null,
})

async function send(
  url: string,
  changes: Partial<Message> = {},
  patience = 30_000,
): Promise<Outcome> {
  const errand = { mail: settings(url), message: { ...message, ...changes }, patience }
  const response = await dispatch("/", { method: "POST", body: JSON.stringify(errand) })
  return (await response.json()) as Outcome
}

const only = (): Received => {
  expect(received).toHaveLength(1)
  return received[0] as Received
}

const address = (found: AddressObject | AddressObject[] | undefined) => [found].flat()[0]?.value[0]

test("headers, text and HTML arrive as they were", async () => {
  const port = await serve()
  const subject = "Grüße aus Zürich: „Käse“ 🧀 & mehr — ein sehr langer Betreff, ".repeat(4).trim()
  const text = [
    ".",
    "..",
    ".ein Punkt am Anfang",
    "Äpfel und 🍐",
    "x".repeat(3_000),
    "ß".repeat(900),
    "a line that ends in a space ",
    "From here on = 3D",
    "",
    ".",
  ].join("\n")
  const html = `<p>${"ü".repeat(1_500)}</p>\n.<b>&amp; 🎬</b>\n`
  const name = "Jörg „Der Käse“ Müller-Lüdenscheidt, Direktor der Abteilung 🎬"
  const list = `<https://app.example/mail/unsubscriptions?token=${"a".repeat(400)}>`
  const outcome = await send(`smtp://127.0.0.1:${port}`, {
    to: { email: "joerg@bücher.example", name },
    subject,
    text,
    html,
    headers: { "Auto-Submitted": "auto-generated", "List-Unsubscribe": list },
  })
  expect(outcome).toMatchObject({ kind: "sent" })
  const { mail, raw, from, to } = only()
  expect(mail.subject).toBe(subject)
  expect(mail.text?.trimEnd()).toBe(text)
  expect((mail.html as string).trimEnd()).toBe(html.trimEnd())
  expect(address(mail.from)).toEqual({ address: "films@example.org", name: "Filmklub Zürich" })
  expect(address(mail.to)).toMatchObject({ name })
  expect([from, to]).toEqual(["films@example.org", ["joerg@bücher.example"]])
  // DNS knows it by this name; smtp-server shows it as it reads.
  expect(raw).toContain("<joerg@xn--bcher-kva.example>")
  expect(mail.messageId).toBe(`<${message.id}@example.org>`)
  expect(mail.headers.get("auto-submitted")).toBe("auto-generated")
  expect(raw).toContain(`List-Unsubscribe: ${list}`)
  expect(mail.date).toEqual(new Date(message.createdAt))
  // RFC 5321, 4.5.3.1.6, and RFC 2047, 2: no line above 998, no encoded word above 75, nothing but ASCII.
  expect(Math.max(...raw.split("\r\n").map((line) => line.length))).toBeLessThan(998)
  for (const word of raw.match(/=\?UTF-8\?.*?\?=(?=[\s>])/g) ?? []) {
    expect(word.length).toBeLessThan(76)
  }
  expect(raw).not.toMatch(/[^\t\r\n -~]/)
})

test("whatever is in subject, name and text arrives", async () => {
  const port = await serve()
  const header = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 120 })
    .map((value) => value.replace(/\p{Cc}|[\u2028\u2029]/gu, "").trim())
    .filter((value) => /[\p{L}\p{N}]/u.test(value) && !/\s\s/.test(value))
  await fc.assert(
    fc.asyncProperty(
      header,
      header,
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 400 }).map(
        (text) =>
          // mailparser trims, and takes soft hyphens and the like for white space: ends are letters.
          `a${text.replace(/[\r\0]/g, "")}z`,
      ),
      async (subject, name, text) => {
        received = []
        const to = { email: "ann@example.net", name }
        expect(await send(`smtp://127.0.0.1:${port}`, { subject, to, text })).toMatchObject({
          kind: "sent",
        })
        const { mail } = only()
        expect(mail.subject).toBe(subject)
        expect(address(mail.to)?.name).toBe(name)
        expect(mail.text?.trimEnd()).toBe(text)
      },
    ),
    { numRuns: 30 },
  )
})

test.each<[string, (bad: string) => Partial<Message>]>([
  ["subject", (bad) => ({ subject: `x${bad}Bcc: victim@example.net` })],
  ["name", (bad) => ({ to: { ...message.to, name: `Ann${bad}Bcc: victim@example.net` } })],
  [
    "address",
    (bad) => ({ to: { email: `ann@example.net>${bad}RCPT TO:<victim@example.net`, name: null } }),
  ],
  ["header's value", (bad) => ({ headers: { "X-List": `x${bad}Bcc: victim@example.net` } })],
  ["header's name", (bad) => ({ headers: { [`X${bad}Bcc: victim@example.net`]: "x" } })],
])(
  "a %s that would begin a header or a command is refused before a server hears of it",
  async (_, hostile) => {
    let calls = 0
    const port = await improvise(mostlyGood(() => void calls++))
    for (const bad of ["\r\n", "\n", "\r", "\r\n\r\n", "\0"]) {
      const outcome = await send(`smtp://127.0.0.1:${port}`, hostile(bad))
      expect(outcome).toMatchObject({
        kind: "deferred",
        reason: expect.stringContaining("could not be written"),
      })
    }
    expect(calls).toBe(0)
  },
)

test("STARTTLS comes before the password, and the certificate has to be known", async () => {
  const logins: unknown[] = []
  const port = await serve({
    authOptional: false,
    disabledCommands: [],
    onAuth({ username, password, method }, session, done) {
      logins.push([method, username, password, session.secure])
      if (password === "pässwörd/:@") done(null, { user: username })
      else done(new Error("Invalid username or password"))
    },
  })
  const secret = encodeURIComponent("pässwörd/:@")
  expect(await send(`smtp://ann:${secret}@localhost:${port}`)).toMatchObject({ kind: "sent" })
  expect(logins).toEqual([["PLAIN", "ann", "pässwörd/:@", true]])
  expect(only()).toMatchObject({ secure: true, user: "ann" })
  // The certificate is for localhost, not for this name of it.
  expect(await send(`smtp://ann:${secret}@127.0.0.1:${port}`)).toMatchObject({ kind: "deferred" })
  const wrong = await send(`smtp://ann:wrong@localhost:${port}`)
  expect(wrong).toMatchObject({ kind: "deferred", reason: expect.stringMatching(/^AUTH: 535/) })
  expect(JSON.stringify(wrong)).not.toContain("wrong")
  expect([logins.length, received.length]).toEqual([2, 1])
})

test("TLS from the first byte, and LOGIN where PLAIN is not offered", async () => {
  const methods: string[] = []
  const port = await serve({
    secure: true,
    authOptional: false,
    authMethods: ["LOGIN"],
    onAuth({ username, password, method }, _session, done) {
      methods.push(`${method} ${username} ${password}`)
      done(null, { user: username })
    },
  })
  expect(await send(`smtps://ann:secret@localhost:${port}`)).toMatchObject({ kind: "sent" })
  expect(methods).toEqual(["LOGIN ann secret"])
})

test("a server elsewhere that offers no TLS hears neither password nor mail", async () => {
  const heard: string[] = []
  const port = await improvise(
    mostlyGood((line) => {
      heard.push(line)
      return line.startsWith("EHLO") ? "250-here\r\n250 AUTH PLAIN" : undefined
    }),
  )
  // This machine, by a name that does not say so.
  const outcome = await send(`smtp://ann:secret@2130706433:${port}`)
  expect(outcome).toEqual({ kind: "deferred", reason: "The server offers no STARTTLS." })
  expect(heard.filter((line) => /AUTH|MAIL|DATA/.test(line))).toEqual([])
})

test("replies that were slipped in before TLS end the conversation", async () => {
  const heard: string[] = []
  const port = await improvise(
    mostlyGood((line) => {
      heard.push(line)
      if (line.startsWith("EHLO")) return "250-here\r\n250 STARTTLS"
      return line === "STARTTLS" ? "220 go\r\n250 slipped in" : undefined
    }),
  )
  const outcome = await send(`smtp://localhost:${port}`)
  expect(outcome).toEqual({ kind: "deferred", reason: "The server spoke before TLS began." })
  expect(heard.at(-1)).toBe("STARTTLS")
})

test("a server that promises TLS and then is silent is given up", async () => {
  const port = await improvise((line) => {
    if (line === "") return "220 here"
    if (line.startsWith("EHLO")) return "250-here\r\n250 STARTTLS"
    return line === "STARTTLS" ? "220 go" : undefined
  })
  const outcome = await send(`smtp://localhost:${port}`, {}, 300)
  expect(outcome).toMatchObject({ kind: "deferred" })
  expect(await (await dispatch("/")).text()).toBe("alive")
})

test("a server that hangs before the mail has none, one that hangs after it may have it", async () => {
  const before = await improvise(mostlyGood((line) => (line.startsWith("MAIL") ? "" : undefined)))
  expect(await send(`smtp://127.0.0.1:${before}`, {}, 300)).toMatchObject({ kind: "deferred" })
  let given = false
  const hang = (line: string) => {
    given ||= line === "."
    return line === "." ? "" : undefined
  }
  const after = await improvise(mostlyGood(hang))
  let outcome: Outcome | undefined
  // A busy machine may not come as far in so short a time.
  for (let patience = 150; !given; patience *= 2) {
    outcome = await send(`smtp://127.0.0.1:${after}`, {}, patience)
  }
  expect(outcome).toMatchObject({ kind: "unknown" })
  expect(await (await dispatch("/")).text()).toBe("alive")
})

test.each<[string, (line: string) => string | null | undefined, object]>([
  ["does not want us", (line) => (line === "" ? "554 no" : undefined), { kind: "deferred" }],
  ["is not SMTP", (line) => (line === "" ? "SSH-2.0-OpenSSH" : undefined), { kind: "deferred" }],
  ["closes at once", (line) => (line === "" ? null : undefined), { kind: "deferred" }],
  [
    "is busy",
    (line) => (line.startsWith("RCPT") ? "451 4.7.1 grey" : undefined),
    { kind: "deferred" },
  ],
  [
    "knows no such mailbox",
    (line) => (line.startsWith("RCPT") ? "550 5.1.1 none" : undefined),
    { kind: "refused", bounced: true },
  ],
  [
    "knows none, in plain words",
    (line) => (line.startsWith("RCPT") ? "550 none" : undefined),
    { kind: "refused", bounced: true },
  ],
  [
    "says no for another reason",
    (line) => (line.startsWith("RCPT") ? "550 5.7.1 spam" : undefined),
    { kind: "refused", bounced: false },
  ],
  [
    "does not like the sender's address",
    (line) => (line.startsWith("RCPT") ? "550 5.1.8 sender" : undefined),
    { kind: "refused", bounced: false },
  ],
  [
    "is full",
    (line) => (line.startsWith("RCPT") ? "552 5.2.2 full" : undefined),
    { kind: "refused", bounced: false },
  ],
  [
    "refuses the sender",
    (line) => (line.startsWith("MAIL") ? "553 who?" : undefined),
    { kind: "deferred" },
  ],
  [
    "will not take it now",
    (line) => (line === "." ? "451 later" : undefined),
    { kind: "deferred" },
  ],
  [
    "will not take this",
    (line) => (line === "." ? "554 5.7.0 spam" : undefined),
    { kind: "refused", bounced: false },
  ],
  ["closes after the mail", (line) => (line === "." ? null : undefined), { kind: "unknown" }],
  [
    "answers on several lines",
    (line) => (line === "." ? "250-one\r\n250 two" : undefined),
    { kind: "sent", messageId: "one two" },
  ],
])("a server that %s", async (_, odd, expected) => {
  const port = await improvise(mostlyGood(odd))
  expect(await send(`smtp://127.0.0.1:${port}`)).toMatchObject(expected)
  // worker-mailer's own conversation never came back here, and took the isolate along.
  expect(await (await dispatch("/")).text()).toBe("alive")
})

test("nobody there", async () => {
  const port = await improvise(() => undefined)
  for (const server of open.splice(0)) server.close()
  expect(await send(`smtp://127.0.0.1:${port}`)).toMatchObject({ kind: "deferred" })
})

test("an address beyond ASCII is only told to a server that takes such", async () => {
  const plain = await improvise(mostlyGood(() => undefined))
  const to = { email: "jörg@example.net", name: null }
  expect(await send(`smtp://127.0.0.1:${plain}`, { to })).toMatchObject({ kind: "refused" })
  const lines: string[] = []
  const wide = await improvise(
    mostlyGood((line) => {
      lines.push(Buffer.from(line, "latin1").toString())
      return line.startsWith("EHLO") ? "250-here\r\n250 SMTPUTF8" : undefined
    }),
  )
  expect(await send(`smtp://127.0.0.1:${wide}`, { to })).toMatchObject({ kind: "sent" })
  expect(lines).toContain("MAIL FROM:<films@example.org> SMTPUTF8")
  expect(lines).toContain("RCPT TO:<jörg@example.net>")
})
