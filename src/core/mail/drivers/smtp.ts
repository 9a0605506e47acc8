import type { MailSettings, SmtpServer } from "../../../platform/settings.ts"
import { type Address, checkedAddress, wireAddress } from "../address.ts"
import { headerText } from "../mail-text.ts"
import type { Mailer, Message, Outcome } from "../mailer.ts"
import { headerValue, mailboxHeader } from "./encoded-word.ts"

const replyMilliseconds = 30_000

/**
 * A mail server of one's own. worker-mailer writes the message (MIME, quoted-printable, dots), the headers with text are
 * ours: its encoded words are longer than RFC 2047 allows, and stand in quotation marks. Loaded when there is something
 * to send, so that start-up does not pay for it.
 */
export const smtpDriver = ({ from, smtp }: MailSettings, patience = replyMilliseconds): Mailer => ({
  driver: "smtp",
  remembersSeconds: 0,
  keepsBodies: false,
  async send(message, signal) {
    let hand: () => Promise<Outcome>
    try {
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
      const server = { ...(smtp as SmtpServer), replyMilliseconds: patience }
      hand = () => converse(server, envelope, data, signal)
    } catch (error) {
      // Nobody has heard of it yet.
      return { kind: "deferred", reason: `It could not be written: ${error}`.slice(0, 300) }
    }
    return hand()
  },
})

/**
 * Message-ID and Date follow from the mail: whoever gets it twice all the same can tell. Texts were checked when the mail
 * was made; here a line break would be a header or a command, so they are checked once more.
 *
 * @throws {Problem} `invalid_input` for what no head can carry.
 */
const headersOf = (from: Address, { id, to, subject, createdAt, headers }: Message) => ({
  From: mailboxHeader(from),
  To: mailboxHeader(checkedAddress(to)),
  Subject: headerValue(headerText(subject, "subject")),
  Date: new Date(createdAt).toUTCString().replace("GMT", "+0000"),
  "Message-ID": `<${id}@${wireAddress(from.email).split("@").at(-1)}>`,
  ...Object.fromEntries(Object.entries(headers).map(plainHeader)),
})

/** Name and value of a header of ours: a token (RFC 5322, 2.2), and ASCII on one line, which may be long as links are. */
function plainHeader([name, value]: [string, string]): [string, string] {
  if (/^[!-9;-~]+$/.test(name) && /^[ -~]*$/.test(value)) return [name, value]
  throw new Error(`The header ${JSON.stringify(name)} is none.`)
}
