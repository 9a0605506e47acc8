import { connect } from "cloudflare:sockets"

/*
 * Lines out, replies in. It knows what a reply is, not what one says next: smtp-conversation.ts does.
 */

/** What a server says (RFC 5321, 4.2). */
export interface Reply {
  readonly code: number
  readonly lines: readonly string[]
}

export interface Connection {
  /** @throws {Error} when nobody answers there, or in the name of somebody else. */
  opened(milliseconds: number): Promise<void>
  /** @throws {Error} when none comes in time, when it is none, and when the other side has gone. */
  reply(milliseconds: number): Promise<Reply>
  write(text: string, milliseconds: number): Promise<void>
  /** From here on encrypted. @throws {Error} when something was said that should have come after it. */
  startTls(): void
  /** Without waiting: in the middle of a handshake workerd waits for the other side, who may never speak. */
  close(): void
}

interface Target {
  readonly host: string
  readonly port: number
  /** TLS from the first byte; else in the clear until `startTls`. */
  readonly secure: boolean
}

/** More than any reply; a server that goes on and on is not one. */
const maxReplyCharacters = 65_536

export function openConnection({ host, port, secure }: Target, signal: AbortSignal): Connection {
  let socket = connect(
    { hostname: host, port },
    { secureTransport: secure ? "on" : "starttls", allowHalfOpen: false },
  )
  let reader = socket.readable.getReader()
  let writer = socket.writable.getWriter()
  let received = ""
  const decoder = new TextDecoder()

  const nextLine = async (): Promise<string> => {
    for (;;) {
      const end = received.indexOf("\n")
      if (end >= 0) {
        const line = received.slice(0, end).replace(/\r$/, "")
        received = received.slice(end + 1)
        return line
      }
      if (received.length > maxReplyCharacters) throw new Error("The reply has no end.")
      const { value, done } = await reader.read()
      if (done) throw new Error("The server closed the connection.")
      received += decoder.decode(value, { stream: true })
    }
  }
  const nextReply = async (): Promise<Reply> => {
    const lines: string[] = []
    for (;;) {
      const [, code, more, text] = /^(\d{3})([ -]?)(.*)$/.exec(await nextLine()) ?? []
      if (code === undefined || lines.length > 100) throw new Error("The reply is not SMTP.")
      lines.push(text as string)
      if (more !== "-") return { code: Number(code), lines }
    }
  }
  return {
    async opened(milliseconds) {
      await within(socket.opened, milliseconds, signal)
    },
    reply: (milliseconds) => within(nextReply(), milliseconds, signal),
    write: (text, milliseconds) =>
      within(writer.write(new TextEncoder().encode(text)), milliseconds, signal),
    startTls() {
      // Whoever sits between could have put replies here that we would take for encrypted ones (CVE-2011-0411).
      if (received) throw new Error("The server spoke before TLS began.")
      reader.releaseLock()
      writer.releaseLock()
      socket = socket.startTls()
      reader = socket.readable.getReader()
      writer = socket.writable.getWriter()
    },
    close() {
      socket.close().catch(() => {})
    },
  }
}

function within<Result>(
  work: Promise<Result>,
  milliseconds: number,
  signal: AbortSignal,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const give = (reason: string) => () => reject(new Error(reason))
    const timer = setTimeout(give("The server did not answer in time."), milliseconds)
    const abort = give("The attempt was ended.")
    if (signal.aborted) abort()
    signal.addEventListener("abort", abort, { once: true })
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener("abort", abort)
    })
  })
}
