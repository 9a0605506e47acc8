import type { MailSettings } from "../../../platform/settings.ts"
import { type Address, wireAddress } from "../address.ts"
import type { Mailer, Message, Outcome } from "../mailer.ts"

/*
 * Resend, over HTTP. It knows a request again by its Idempotency-Key, for 24 hours, and only when its body is the same to
 * the letter: so what may have been accepted is asked for again in the very same words.
 * @see https://resend.com/docs/api-reference/emails/send-email, …/docs/api-reference/errors
 */

const timeoutMilliseconds = 15_000

/** An hour less than they promise: their clock and ours, and the time a request takes. */
const remembersSeconds = 23 * 3_600

export const resendDriver = ({ from, resendApiKey, resendUrl }: MailSettings): Mailer => ({
  driver: "resend",
  remembersSeconds,
  keepsBodies: false,
  async send(message, signal) {
    try {
      const response = await fetch(`${resendUrl}/emails`, {
        method: "POST",
        // A redirect would carry the key elsewhere.
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMilliseconds)]),
        headers: {
          authorization: `Bearer ${resendApiKey}`,
          "content-type": "application/json",
          "idempotency-key": message.id,
        },
        body: JSON.stringify(requestOf(from as Address, message)),
      })
      return outcomeOf(response, await response.text())
    } catch (error) {
      return { kind: "unknown", reason: String(error).slice(0, 300) }
    }
  },
})

const requestOf = (from: Address, { to, subject, text, html, headers }: Message) => ({
  from: mailbox(from),
  to: [mailbox(to)],
  subject,
  text,
  html,
  headers,
})

/** A quoted string, so that a name cannot be taken for an address. */
const mailbox = ({ email, name }: Address): string =>
  name === null ? wireAddress(email) : `"${name.replace(/["\\]/g, "\\$&")}" <${wireAddress(email)}>`

function outcomeOf(response: Response, body: string): Outcome {
  const { status } = response
  const { id, name, message } = parsed(body)
  if (status === 200 && typeof id === "string") return { kind: "sent", messageId: id }
  const reason = `${status} ${name ?? ""} ${message ?? ""}`.trim().slice(0, 300)
  // This id was used for another text, such as before a change of MAIL_FROM: they have that one, and take no second.
  if (name === "invalid_idempotent_request") return { kind: "unknown", reason, lasting: true }
  // With 409 the same request is still at work.
  if (status < 300 || status === 409 || status >= 500) return { kind: "unknown", reason }
  if (status === 429) {
    const seconds = Number(response.headers.get("retry-after"))
    return { kind: "deferred", reason, ...(seconds > 0 && { retryAfterSeconds: seconds }) }
  }
  // A wrong key, an unverified domain, an address that moved: mended by whoever runs the deployment.
  if (status < 400 || status === 401 || status === 403) return { kind: "deferred", reason }
  return { kind: "refused", reason, bounced: false }
}

function parsed(body: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body)) as Record<string, unknown>
  } catch {
    return { message: body }
  }
}
