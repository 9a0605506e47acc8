import type { ZodType, z } from "zod"
import { invalidInput } from "../../platform/problem.ts"
import type { Content } from "./content.ts"
import { type Locale, locales } from "./locale.ts"
import { headerText, oneLine } from "./mail-text.ts"
import { renderHtml } from "./render-html.ts"
import { renderText } from "./render-text.ts"

/** A text, or one that depends on the data. */
type Message<Data> = string | ((data: Data) => string)

interface TemplateOptions<Schema extends ZodType, Key extends string> {
  readonly data: Schema
  /** For the preview, and for tests. */
  readonly sample: z.input<Schema>
  /** The same keys in each language: a missing one does not compile. */
  readonly messages: Readonly<Record<Locale, Readonly<Record<Key, Message<z.output<Schema>>>>>>
  content(t: Readonly<Record<Key, string>>, data: z.output<Schema>, locale: Locale): Content
}

/** A kind of mail. */
export interface MailTemplate<Schema extends ZodType = ZodType> {
  readonly name: string
  readonly data: Schema
  readonly sample: z.input<Schema>
  // A method, not a property: that is how TypeScript lets templates of all data stand in one list.
  content(data: z.output<Schema>, locale: Locale): Content
}

/** Declares a kind of mail; `name` is what is stored. */
export const mailTemplate = <Schema extends ZodType, Key extends string>(
  name: string,
  { data, sample, messages, content }: TemplateOptions<Schema, Key>,
): MailTemplate<Schema> => ({
  name,
  data,
  sample,
  content(given, locale) {
    const said = Object.entries<Message<z.output<Schema>>>(messages[locale]).map(([key, text]) => [
      key,
      typeof text === "function" ? text(given) : text,
    ])
    return content(Object.fromEntries(said), given, locale)
  },
})

/** A mail as it is written. */
export interface Rendered {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/**
 * The mail that a template makes of its data. `subscribed`: with the line that leads to unsubscribing.
 *
 * @throws {ZodError} for data that are not the template's.
 * @throws {Problem} `invalid_input` for texts that no mail can carry.
 */
export function renderMail<Schema extends ZodType>(
  template: MailTemplate<Schema>,
  data: z.input<Schema>,
  locale: Locale,
  subscribed = false,
): Rendered {
  const { subject, preheader = "", blocks } = template.content(template.data.parse(data), locale)
  const content = {
    subject: headerText(subject, "subject") || missing("subject"),
    preheader: oneLine(preheader),
    blocks,
  }
  return {
    subject,
    text: renderText(content, locale, subscribed),
    html: renderHtml(content, locale, subscribed),
  }
}

function missing(path: string): never {
  throw invalidInput({ path, code: "required", message: "A mail has a subject." })
}

/** The sample of a template, in each language. */
export const samplesOf = (template: MailTemplate) =>
  locales.map((locale) => ({ locale, ...renderMail(template, template.sample, locale) }))
