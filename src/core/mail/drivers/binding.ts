import type { MailSettings } from "../../../platform/settings.ts"
import { type Address, wireAddress } from "../address.ts"
import type { Mailer, Outcome } from "../mailer.ts"

/*
 * Cloudflare's Email Service, through the binding EMAIL. It makes Message-ID and Date itself, refuses headers that it
 * does not know, and does not recognise a mail that it was given before.
 * @see https://developers.cloudflare.com/email-service/api/send-emails/workers-api/
 */

export function bindingDriver(env: object, { from }: MailSettings): Mailer {
  // That it is there is known from the settings.
  const { EMAIL: binding } = env as { EMAIL: SendEmail }
  return {
    driver: "binding",
    remembersSeconds: 0,
    keepsBodies: false,
    async send({ to, subject, text, html, headers }) {
      try {
        const { messageId } = await binding.send({
          from: addressee(from as Address),
          to: addressee(to),
          subject,
          text,
          html,
          headers: acceptable(headers),
        })
        return { kind: "sent", messageId }
      } catch (error) {
        return outcomeOf(error)
      }
    },
  }
}

const addressee = ({ email, name }: Address) =>
  name === null ? wireAddress(email) : { email: wireAddress(email), name }

/** Links of a deployment without TLS are refused there, and with them the mail. */
const acceptable = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  headers["List-Unsubscribe"]?.startsWith("<http:")
    ? Object.fromEntries(
        Object.entries(headers).filter(([name]) => !name.startsWith("List-Unsubscribe")),
      )
    : headers

/** Codes of the service that say: another time. Of the rest, those that begin alike say: never. */
const temporary = [
  "E_RATE_LIMIT_EXCEEDED",
  "E_DAILY_LIMIT_EXCEEDED",
  "E_DELIVERY_FAILED",
  // Those below are mended by whoever runs the deployment.
  "E_SENDER_NOT_VERIFIED",
  "E_SENDER_DOMAIN_NOT_AVAILABLE",
]

function outcomeOf(error: unknown): Outcome {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const reason = `${code ?? "no code"}: ${String(message).slice(0, 300)}`
  if (typeof code !== "string" || !code.startsWith("E_") || code === "E_INTERNAL_SERVER_ERROR") {
    return { kind: "unknown", reason }
  }
  if (temporary.includes(code)) return { kind: "deferred", reason }
  return { kind: "refused", reason, bounced: code === "E_RECIPIENT_SUPPRESSED" }
}
