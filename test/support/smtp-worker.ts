import { smtpDriver } from "../../src/core/mail/drivers/smtp.ts"
import type { Message } from "../../src/core/mail/mailer.ts"
import type { MailSettings } from "../../src/platform/settings.ts"

/** What the worker is asked to send, and how. */
export interface SmtpErrand {
  readonly mail: MailSettings
  readonly message: Message
  readonly patience?: number
}

/** The SMTP driver alone: `POST /` sends and answers the outcome, `GET /` shows that the isolate lives. */
export default {
  async fetch(request) {
    if (request.method === "GET") return new Response("alive")
    const { mail, message, patience } = (await request.json()) as SmtpErrand
    return Response.json(await smtpDriver(mail, patience).send(message, request.signal))
  },
} satisfies ExportedHandler
