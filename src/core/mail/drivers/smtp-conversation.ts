import { Buffer } from "node:buffer"
import type { SmtpServer } from "../../../platform/settings.ts"
import type { Outcome } from "../mailer.ts"
import { type Connection, openConnection, type Reply } from "./smtp-connection.ts"

/*
 * One mail to one server (RFC 5321). Ours, and not worker-mailer's, for three reasons that were measured or read in
 * 1.2.1: when the server closes the connection it reads on without a pause and takes the isolate with it; it says
 * passwords in the clear when a server offers no TLS; and its errors do not tell whether the mail may have left.
 */

interface PatientServer extends SmtpServer {
  /** How long to wait for a reply; four times that for the one to the mail itself. */
  readonly replyMilliseconds: number
}

/** Addresses that hold nothing but an address. */
export interface Envelope {
  readonly from: string
  readonly to: string
}

/**
 * Hands over `data`, a whole message whose lines are stuffed and which ends in its dot. Until then nothing can have left;
 * after that only the reply tells.
 */
export async function converse(
  server: PatientServer,
  envelope: Envelope,
  data: string,
  signal: AbortSignal,
): Promise<Outcome> {
  let given = false
  let connection: Connection | undefined
  try {
    connection = openConnection(server, signal)
    const say = async (line: string, what: string, wanted: number): Promise<Reply> => {
      await (connection as Connection).write(`${line}\r\n`, server.replyMilliseconds)
      return expected(
        await (connection as Connection).reply(server.replyMilliseconds),
        what,
        wanted,
      )
    }
    await connection.opened(server.replyMilliseconds)
    expected(await connection.reply(server.replyMilliseconds), "greeting", 2)
    const me = envelope.from.slice(envelope.from.lastIndexOf("@") + 1)
    let offers = (await say(`EHLO ${me}`, "EHLO", 2)).lines
    if (!server.secure) {
      if (offers.some((line) => /^STARTTLS\b/i.test(line))) {
        await say("STARTTLS", "STARTTLS", 2)
        connection.startTls()
        offers = (await say(`EHLO ${me}`, "EHLO", 2)).lines
      } else if (!isLoopback(server.host)) {
        throw new Error("The server offers no STARTTLS.")
      }
    }
    if (server.credentials) await authenticate(say, offers, server.credentials)
    const beyondAscii = !isAscii(envelope.to)
    if (beyondAscii && !offers.some((line) => /^SMTPUTF8\b/i.test(line))) {
      return { kind: "refused", reason: "The server takes ASCII addresses only.", bounced: false }
    }
    await say(`MAIL FROM:<${envelope.from}>${beyondAscii ? " SMTPUTF8" : ""}`, "MAIL", 2)
    await connection.write(`RCPT TO:<${envelope.to}>\r\n`, server.replyMilliseconds)
    const recipient = await connection.reply(server.replyMilliseconds)
    if (recipient.code >= 300) return refusalOf(recipient, "RCPT")
    await say("DATA", "DATA", 3)
    given = true
    await connection.write(data, server.replyMilliseconds * 4)
    const verdict = await connection.reply(server.replyMilliseconds * 4)
    if (verdict.code >= 300) return refusalOf(verdict, "message")
    // Politeness, whose answer changes nothing.
    await connection.write("QUIT\r\n", server.replyMilliseconds).catch(() => {})
    return { kind: "sent", messageId: verdict.lines.join(" ").slice(0, 200) }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: given ? "unknown" : "deferred", reason: reason.slice(0, 300) }
  } finally {
    connection?.close()
  }
}

/** The reply, when its first digit is the one that is wanted. */
function expected(reply: Reply, what: string, firstDigit: number): Reply {
  if (Math.floor(reply.code / 100) === firstDigit) return reply
  throw new Error(`${what}: ${textOf(reply)}`)
}

/** 4xx may be another time, 5xx never; some of the latter say that there is no such mailbox. */
function refusalOf(reply: Reply, what: string): Outcome {
  const reason = `${what}: ${textOf(reply)}`.slice(0, 300)
  if (reply.code < 500) return { kind: "deferred", reason }
  return { kind: "refused", reason, bounced: isBounce(reply) }
}

/**
 * Whether the address takes no mail. By the enhanced code where there is one, since servers say 550 for spam, too: 5.1.x
 * is about addresses, of which 7 to 9 are not the recipient's; 5.2.1 is a mailbox that was closed.
 * @see https://www.rfc-editor.org/rfc/rfc3463#section-3.2
 */
function isBounce({ code, lines }: Reply): boolean {
  const enhanced = /^5\.\d{1,3}\.\d{1,3}(?= |$)/.exec(lines[0] ?? "")?.[0]
  if (enhanced === undefined) return code === 550
  return enhanced === "5.2.1" || (/^5\.1\./.test(enhanced) && !/^5\.1\.[789]$/.test(enhanced))
}

const textOf = ({ code, lines }: Reply): string => `${code} ${lines.join(" ")}`

type Say = (line: string, what: string, wanted: number) => Promise<Reply>

/** PLAIN (RFC 4616) or LOGIN, whichever is offered. The connection is encrypted, or stays on this machine. */
async function authenticate(
  say: Say,
  offers: readonly string[],
  { user, password }: { readonly user: string; readonly password: string },
): Promise<void> {
  const offered = offers.find((line) => /^AUTH[ =]/i.test(line))?.toUpperCase() ?? ""
  if (/[ =]PLAIN\b/.test(offered)) {
    await say(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`, "AUTH", 2)
  } else if (/[ =]LOGIN\b/.test(offered)) {
    await say("AUTH LOGIN", "AUTH", 3)
    await say(base64(user), "AUTH", 3)
    await say(base64(password), "AUTH", 2)
  } else {
    throw new Error("The server offers neither AUTH PLAIN nor AUTH LOGIN.")
  }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64")

const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

/** This machine itself, where nobody listens in. */
const isLoopback = (host: string): boolean => /^(?:localhost|127\.[\d.]+|\[?::1\]?)$/.test(host)
