import { invalidInput } from "../../platform/problem.ts"
import { headerText } from "./mail-text.ts"

/** A mailbox, and whose it is. */
export interface Address {
  readonly email: string
  readonly name: string | null
}

/** One `@`, and nothing that has a meaning in a header or an SMTP command. */
export const addressPattern = /^[^\s@"<>()[\]\\,;:\p{Cc}]{1,64}@[^\s@"<>()[\]\\,;:\p{Cc}]{1,255}$/u

/** Whether what stands behind the `@` can be the name of a domain. */
export const hasDomain = (email: string): boolean =>
  asciiDomain(email.slice(email.lastIndexOf("@") + 1)) !== null

/**
 * The same address, when mail can be sent there.
 *
 * @throws {Problem} `invalid_input`, naming `email` or `name`.
 */
export function checkedAddress({ email, name }: Address): Address {
  const spelled = addressPattern.test(email) && email.length <= 254 && email.isWellFormed()
  if (!spelled || !hasDomain(email)) {
    const message = "This is not an e-mail address."
    throw invalidInput({ path: "email", code: "invalid_address", message })
  }
  return { email, name: name === null ? null : headerText(name, "name") }
}

/** The form in which addresses are compared: without regard to case, composition, and how the domain is written. */
export function normaliseAddress(email: string): string {
  const text = email.trim().normalize("NFC").toLowerCase()
  return text.includes("@") ? wireAddress(text) : text
}

/** The address with its domain as DNS knows it (`xn--…`): what servers are told. */
export function wireAddress(email: string): string {
  const at = email.lastIndexOf("@")
  return `${email.slice(0, at)}@${asciiDomain(email.slice(at + 1)) ?? email.slice(at + 1)}`
}

/** Null for what is not the name of a domain. */
function asciiDomain(domain: string): string | null {
  if (/[/?#%]/.test(domain)) return null
  const url = `http://${domain}/`
  const host = URL.canParse(url) ? new URL(url).hostname : ""
  return /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(host) && !host.includes("..") ? host : null
}
