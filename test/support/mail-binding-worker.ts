import { bindingDriver } from "../../src/core/mail/drivers/binding.ts"
import type { Message } from "../../src/core/mail/mailer.ts"
import type { MailSettings } from "../../src/platform/settings.ts"

/** What the worker is asked to send, and by whom. */
export interface BindingErrand {
  readonly from: NonNullable<MailSettings["from"]>
  readonly message: Message
}

/** The driver of the binding EMAIL alone: `POST /` sends and answers the outcome. */
export default {
  async fetch(request, env) {
    const { from, message } = (await request.json()) as BindingErrand
    const mailer = bindingDriver(env, { from } as MailSettings)
    return Response.json(await mailer.send(message, request.signal))
  },
} satisfies ExportedHandler<{ EMAIL: SendEmail }>
