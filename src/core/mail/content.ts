import { oneLine, plainText } from "./mail-text.ts"

/*
 * What a mail says, in parts from which both its text and its HTML are made: the two cannot disagree. Made by these
 * functions alone. Texts are texts: whatever is in them is shown as it is.
 */

type Worded = "heading" | "paragraph" | "code" | "smallPrint"

export type Block =
  | { readonly kind: Worded; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  | { readonly kind: "button"; readonly label: string; readonly url: string }

export interface Content {
  readonly subject: string
  /** What a mailbox shows beside the subject, before the mail is opened. */
  readonly preheader?: string
  readonly blocks: readonly Block[]
}

const lineOf =
  (kind: Worded) =>
  (text: string): Block => ({ kind, text: oneLine(text) })

export const heading = lineOf("heading")

/** The one text whose line breaks are kept. */
export const paragraph = (text: string): Block => ({ kind: "paragraph", text: plainText(text) })

/** A code that is to be typed. */
export const code = lineOf("code")

export const smallPrint = lineOf("smallPrint")

export const list = (items: readonly string[]): Block => ({
  kind: "list",
  items: items.map(oneLine),
})

/**
 * The one thing to do. The address is also written out, for those whose program shows no buttons.
 *
 * @throws {Error} when the address is not one of http or https.
 */
export const button = (label: string, url: string): Block => ({
  kind: "button",
  label: oneLine(label),
  url: webAddress(url),
})

/** As browsers write it, so that nothing in it can end an attribute or a line. */
function webAddress(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed?.protocol !== "https:" && parsed?.protocol !== "http:") {
    throw new Error("A mail links to http and https only.")
  }
  return parsed.href
}
