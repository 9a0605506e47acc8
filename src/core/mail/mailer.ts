import type { Settings } from "../../platform/settings.ts"
import type { Address } from "./address.ts"
import { bindingDriver } from "./drivers/binding.ts"
import { outboxDriver } from "./drivers/outbox.ts"
import { resendDriver } from "./drivers/resend.ts"
import { smtpDriver } from "./drivers/smtp.ts"

/** A mail as a driver gets it: complete, checked, to one recipient. */
export interface Message {
  /** The same in every attempt: what tells a provider that it has this one already. */
  readonly id: string
  readonly to: Address
  readonly subject: string
  readonly text: string
  readonly html: string
  /** When it was written (ISO 8601 UTC). */
  readonly createdAt: string
  /** Beyond those that every mail has. ASCII. */
  readonly headers: Readonly<Record<string, string>>
}

/** What became of an attempt. The difference that matters: whether the mail may have left. */
export type Outcome =
  /** Accepted, under this name. */
  | { readonly kind: "sent"; readonly messageId: string }
  /** Certainly not accepted; it may be another time. */
  | { readonly kind: "deferred"; readonly reason: string; readonly retryAfterSeconds?: number }
  /** Not accepted, now or ever. `bounced`: because of the address, which takes no mail. */
  | { readonly kind: "refused"; readonly reason: string; readonly bounced: boolean }
  /** Nobody knows. `lasting`: asking again would tell no more. */
  | { readonly kind: "unknown"; readonly reason: string; readonly lasting?: true }

/** A way out. */
export interface Mailer {
  readonly driver: Settings["mail"]["driver"]
  /** For so long it knows a mail that it was given before, by its id; 0: never. */
  readonly remembersSeconds: number
  /** True where the row is the mail: its bodies stay. */
  readonly keepsBodies: boolean
  /** Does not throw: neither for what the other side does, nor for what it cannot write itself. */
  send(message: Message, signal: AbortSignal): Promise<Outcome>
}

/** The way out that the settings choose. No I/O yet. */
export function createMailer(env: object, { mail }: Settings): Mailer {
  switch (mail.driver) {
    case "outbox":
      return outboxDriver
    case "binding":
      return bindingDriver(env, mail)
    case "smtp":
      return smtpDriver(mail)
    case "resend":
      return resendDriver(mail)
  }
}
