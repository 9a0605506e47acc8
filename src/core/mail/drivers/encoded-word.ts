import { Buffer } from "node:buffer"
import { type Address, wireAddress } from "../address.ts"

/*
 * Text in headers, which are ASCII (RFC 5322), as encoded words (RFC 2047): each 75 characters at most and whole
 * characters only, one a line. No I/O.
 */

/** 45 bytes are 60 characters of base64, which leave room for `=?UTF-8?B?…?=` and for a header's name. */
const maxWordBytes = 45

/** A header's text: as it is where it is short and plain, encoded otherwise. */
export function headerValue(text: string): string {
  const plain = /^[\x20-\x7e]{0,60}$/.test(text) && !text.includes("=?") && text === text.trim()
  return plain ? text : encodedWords(text)
}

/** `Name <address>`: a quoted string or encoded words, so that no name can be taken for an address. */
export function mailboxHeader({ email, name }: Address): string {
  const address = wireAddress(email)
  if (name === null) return address
  const plain = /^[\x20-\x7e]{1,60}$/.test(name) && !name.includes("=?")
  const phrase = plain ? `"${name.replace(/["\\]/g, "\\$&")}"` : encodedWords(name)
  return `${phrase} <${address}>`
}

function encodedWords(text: string): string {
  const words: string[] = []
  let word = ""
  for (const char of text) {
    if (Buffer.byteLength(word + char) > maxWordBytes) {
      words.push(word)
      word = ""
    }
    word += char
  }
  words.push(word)
  return words.map((part) => `=?UTF-8?B?${Buffer.from(part).toString("base64")}?=`).join("\r\n ")
}
