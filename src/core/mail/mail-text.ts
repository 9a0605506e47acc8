import { invalidInput } from "../../platform/problem.ts"

/*
 * What may stand where in a mail. A line break in a header would begin another header, and an empty line the body: so
 * control characters are refused there, never taken out silently.
 */

/** RFC 5322, 2.1.1: a line has 998 characters at most, and folding is not everybody's strength. */
const maxHeaderCharacters = 500

/**
 * `text`, when it may stand in a header: subject, name.
 *
 * @throws {Problem} `invalid_input`, naming `path`.
 */
export function headerText(text: string, path: string): string {
  if (/\p{Cc}|[\u2028\u2029]/u.test(text) || !text.isWellFormed()) {
    const message = "Control characters and line breaks may not stand in the head of a mail."
    throw invalidInput({ path, code: "invalid_header", message })
  }
  if (text.length > maxHeaderCharacters) {
    const message = `May have ${maxHeaderCharacters} characters at most.`
    throw invalidInput({ path, code: "too_big", message })
  }
  return text
}

/**
 * `text` for the body, with line feeds for line breaks.
 *
 * @throws {Problem} `invalid_input` for NUL and halves of surrogate pairs, which no store and no mail can carry.
 */
export function plainText(text: string): string {
  if (text.includes("\0") || !text.isWellFormed()) {
    const message = "NUL and lone surrogates may not stand in a mail."
    throw invalidInput({ path: "text", code: "invalid_text", message })
  }
  return text.replace(/\r\n?/g, "\n")
}

/**
 * `text` as one line: runs of white space and control characters become one space, so that a name or a title cannot begin
 * a paragraph of its own in what others are sent.
 *
 * @throws {Problem} as `plainText` does.
 */
export const oneLine = (text: string): string =>
  plainText(text)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
