import type { MailSettings } from "../../../platform/settings.ts"
import { type Address, wireAddress } from "../address.ts"
import type { Mailer, Message } from "../mailer.ts"
import { headerValue, mailboxHeader } from "./encoded-word.ts"
import type { SmtpServer } from "./smtp-conversation.ts"

const replyMilliseconds = 30_000

/**
 * A mail server of one's own. worker-mailer writes the message (MIME, quoted-printable, dots), the headers with text are
 * ours: its encoded words are longer than RFC 2047 allows, and stand in quotation marks. Loaded when there is something
 * to send, so that start-up does not pay for it.
 */
export const smtpDriver = (
  { from, smtpUrl }: MailSettings,
  patience = replyMilliseconds,
): Mailer => ({
  driver: "smtp",
  remembersSeconds: 0,
  keepsBodies: false,
  async send(message, signal) {
    const [{ Email }, { converse }] = await Promise.all([
      import("worker-mailer"),
      import("./smtp-conversation.ts"),
    ])
    const sender = from as Address
    const envelope = { from: wireAddress(sender.email), to: wireAddress(message.to.email) }
    const data = new Email({
      from: envelope.from,
      to: envelope.to,
      subject: message.subject,
      text: message.text,
      html: message.html,
      headers: headersOf(sender, message),
    }).getEmailData()
    return converse(serverOf(smtpUrl as string, patience), envelope, data, signal)
  },
})

/** Message-ID follows from the mail: whoever gets it twice all the same can tell. */
const headersOf = (from: Address, { id, to, subject, headers }: Message) => ({
  From: mailboxHeader(from),
  To: mailboxHeader(to),
  Subject: headerValue(subject),
  Date: new Date().toUTCString().replace("GMT", "+0000"),
  "Message-ID": `<${id}@${wireAddress(from.email).split("@").at(-1)}>`,
  ...headers,
})

/** What a URL such as `smtps://user:pass@host:465` says; user and password are percent-encoded there. */
function serverOf(url: string, patience: number): SmtpServer {
  const { protocol, hostname, port, username, password } = new URL(url)
  const secure = protocol === "smtps:"
  return {
    host: hostname,
    port: port === "" ? (secure ? 465 : 587) : Number(port),
    secure,
    credentials: username
      ? { user: decodeURIComponent(username), password: decodeURIComponent(password) }
      : null,
    replyMilliseconds: patience,
  }
}
