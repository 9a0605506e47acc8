import type { ZodType, z } from "zod"
import { invalidInput } from "../../platform/problem.ts"
import { type Address, checkedAddress } from "./address.ts"
import { type Locale, localeFor } from "./locale.ts"
import { headerText } from "./mail-text.ts"
import { type MailTemplate, type Rendered, renderMail } from "./template.ts"

/** A person of the deployment, whose address is looked up when the mail leaves; or an address. */
export type Recipient =
  | { readonly user: string }
  | { readonly email: string; readonly name?: string | null }

export interface MailOptions {
  /**
   * What the mail is sent for, such as `password-reset/<id>`: of all mails with one cause there is one, until 120
   * days after it was made.
   */
  readonly cause: string
  /** A language tag, such as `de-AT`. English unless told. */
  readonly locale?: string | null
  readonly organisation?: string | null
  /** Name of the list that it belongs to, as its readers know it: then they can unsubscribe from it. */
  readonly list?: string
}

/** A mail that is to be: for `insertMails`. */
export interface NewMail extends Rendered {
  readonly template: string
  readonly cause: string
  readonly locale: Locale
  readonly list: string | null
  readonly organisation: string | null
  readonly recipient: string | null
  readonly address: Address | null
}

/**
 * A mail, written and checked. Sends nothing yet.
 *
 * @throws {ZodError} for data that are not the template's.
 * @throws {Problem} `invalid_input` for an address that is none, and for line breaks where headers will be.
 */
export function newMail<Schema extends ZodType>(
  template: MailTemplate<Schema>,
  recipient: Recipient,
  data: z.input<Schema>,
  options: MailOptions,
): NewMail {
  const { cause, organisation = null, list = null } = options
  if (cause === "" || cause.length > 500) {
    const message = "A mail names its cause, in 500 characters at most."
    throw invalidInput({ path: "cause", code: "invalid_cause", message })
  }
  const locale = localeFor(options.locale)
  return {
    ...renderMail(template, data, locale, list !== null),
    template: template.name,
    cause,
    locale,
    list: list === null ? null : headerText(list, "list"),
    organisation,
    recipient: "user" in recipient ? recipient.user : null,
    address:
      "user" in recipient
        ? null
        : checkedAddress({ email: recipient.email, name: recipient.name ?? null }),
  }
}
