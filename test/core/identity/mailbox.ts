import { sql } from "../../../src/platform/sql.ts"
import { type Call, call, password, query, type SignedIn, signedIn } from "./cast.ts"

/** A mail, as the outbox has it. */
export interface Mail {
  readonly template: string
  readonly locale: string
  readonly recipient: string | null
  readonly address: string | null
  readonly subject: string
  readonly text: string
}

/** What was mailed to a person or an address, the newest first. */
export const mailsTo = async (whom: string, template?: string): Promise<Mail[]> =>
  (await query(
    sql`SELECT template, locale, recipient, address, subject, text FROM mails WHERE (recipient = ${whom} OR (recipient IS NULL AND address = ${whom})) AND (${template ?? null} IS NULL OR template = ${template ?? null}) ORDER BY id DESC`,
  )) as unknown as Mail[]

/** The token of the newest link that was mailed to somebody. */
export async function mailedToken(whom: string, template: string): Promise<string> {
  const [mail] = await mailsTo(whom, template)
  const token = /#(hat_[\w-]{43})/.exec(mail?.text ?? "")?.[1]
  if (!token) throw new Error(`${template} was not mailed to ${whom}`)
  return token
}

/** The newest code that was mailed to somebody. */
export async function mailedCode(whom: string): Promise<string> {
  const [mail] = await mailsTo(whom, "account.sign-in-code")
  const code = /^\s*(\d{6})\s*$/m.exec(mail?.text ?? "")?.[1]
  if (!code) throw new Error(`no code was mailed to ${whom}`)
  return code
}

let networks = 0

/** A network of its own, so that no test exhausts the limits of another. */
export const elsewhere = (): { "cf-connecting-ip": string } => ({
  "cf-connecting-ip": `198.51.${++networks}.7`,
})

export const post = (path: string, body?: unknown, options: Call = {}): Promise<Response> =>
  call(path, {
    method: "POST",
    headers: elsewhere(),
    ...(body !== undefined && { body }),
    ...options,
  })

/** A new person with a session, whose address is confirmed. */
export async function verified(name: string): Promise<SignedIn> {
  const person = await signedIn(name)
  const token = await mailedToken(person.user.id, "account.verify-email")
  await post("/auth/email-verifications/confirmations", { token })
  return person
}

export const eventsOf = async (user: string): Promise<string[]> =>
  (await query(sql`SELECT kind FROM audit_events WHERE user = ${user} ORDER BY id`)).map(
    ({ kind }) => kind as string,
  )

/** Whether somebody can sign in with a password. */
export const signInStatus = async (email: string, tried = password): Promise<number> =>
  (await post("/auth/sessions", { email, password: tried })).status
