import { env } from "cloudflare:workers"
import { z } from "zod"
import {
  button,
  code,
  heading,
  list,
  paragraph,
  smallPrint,
} from "../../../src/core/mail/content.ts"
import { type AddressOf, deliverMail, type MailReach } from "../../../src/core/mail/delivery.ts"
import { outboxDriver } from "../../../src/core/mail/drivers/outbox.ts"
import { insertMails } from "../../../src/core/mail/enqueue.ts"
import type { Mailer, Message, Outcome } from "../../../src/core/mail/mailer.ts"
import { type MailOptions, newMail, type Recipient } from "../../../src/core/mail/new-mail.ts"
import type { StoredMail } from "../../../src/core/mail/stored-mail.ts"
import { mailTemplate } from "../../../src/core/mail/template.ts"
import { type App, createApp } from "../../../src/platform/app.ts"
import type { Row } from "../../../src/platform/database.ts"
import { settingsOf } from "../../../src/platform/http.ts"
import { type Sql, sql } from "../../../src/platform/sql.ts"

/** The bindings, as a plain object: tests spread it to vary a variable. */
export const bindings: Cloudflare.Env = { ...env }

/** With every kind of block, and data in each of them. */
export const everything = mailTemplate("everything", {
  data: z.object({ text: z.string(), url: z.string() }),
  sample: { text: "Ann", url: "https://example.com/" },
  messages: {
    en: { subject: ({ text }) => `Hello ${text}`, hello: "Hello" },
    de: { subject: ({ text }) => `Hallo ${text}`, hello: "Guten Tag" },
  },
  content: (t, { text, url }) => ({
    subject: t.subject,
    preheader: text,
    blocks: [
      heading(text),
      paragraph(text),
      list([text, t.hello]),
      code(text),
      button(text, url),
      smallPrint(text),
    ],
  }),
})

/** One line. */
export const note = mailTemplate("note", {
  data: z.object({ text: z.string() }),
  sample: { text: "A note" },
  messages: { en: { subject: "A note" }, de: { subject: "Eine Notiz" } },
  content: (t, { text }) => ({ subject: t.subject, blocks: [paragraph(text)] }),
})

interface AppOptions {
  readonly variables?: Readonly<Record<string, string>>
  readonly database?: string
  readonly now?: () => number
}

/** An app whose jobs nobody starts: the tests are the engine, attempt by attempt. */
export const appWith = ({ variables = {}, database = "main", now }: AppOptions = {}): App => {
  const bound = { ...bindings, ...variables }
  const app = createApp({
    env: bound,
    settings: settingsOf(bound),
    requestId: "test",
    database,
    bookmark: null,
    waitUntil: () => {},
    ...(now && { now }),
  })
  return Object.create(app, { wake: { value: () => {} } }) as App
}

let causes = 0

/** Causes a note; answers its id. */
export async function caused(
  app: App,
  recipient: Recipient = { email: "ann@example.test" },
  options: Partial<MailOptions> = {},
): Promise<string> {
  const cause = options.cause ?? `cause-${++causes}`
  const mail = newMail(note, recipient, { text: "The text" }, { ...options, cause })
  await app.db.batch(insertMails(app, [mail]))
  const [row] = await app.db.all(sql`SELECT id FROM mails WHERE cause = ${cause}`)
  return row?.id as string
}

export async function mailOf(app: App, id: string): Promise<StoredMail> {
  const [row] = await app.db.all(sql`SELECT * FROM mails WHERE id = ${id}`)
  return row as unknown as StoredMail
}

export const stateOf = async (app: App, id: string) => (await mailOf(app, id)).state

/** A driver that keeps what it is given, and answers what it is told. */
export function recordingMailer(
  answer: (message: Message) => Outcome | Promise<Outcome> = ({ id }) => ({
    kind: "sent",
    messageId: `provider-${id}`,
  }),
  changes: Partial<Mailer> = {},
): Mailer & { readonly messages: Message[] } {
  const messages: Message[] = []
  return {
    driver: "smtp",
    remembersSeconds: 0,
    keepsBodies: false,
    async send(message) {
      messages.push(message)
      return answer(message)
    },
    ...changes,
    messages,
  }
}

/** Where people get mail, by their ids. */
export const people: Record<string, { email: string; name: string | null }> = {}

export const addressOf: AddressOf = async (_, user) => people[user] ?? null

/** One attempt of the job, as the engine would make it. */
export async function attempt(
  app: App,
  mail: string,
  mailer: Mailer = outboxDriver,
  number = 1,
  createdAt = new Date(app.now()).toISOString(),
): Promise<void> {
  const reach: MailReach = { mailer, addressOf }
  await deliverMail.options.run(
    {
      id: mail,
      key: mail,
      payload: { mail },
      attempt: number,
      organisation: null,
      createdAt,
      app,
      signal: new AbortController().signal,
      step: async (_, work) => work(),
      progress: async () => {},
      idFor: async () => mail,
    },
    reach,
  )
}

/** Jobs of delivery that wait, with what they are about. */
export const jobsOf = async (app: App, mail: string): Promise<Row[]> =>
  app.db.all(
    sql`SELECT key, runAt, priority FROM jobs WHERE name = 'mail.deliver' AND payload ->> 'mail' = ${mail} ORDER BY key`,
  )

export const count = async (app: App, what: Sql): Promise<number> =>
  (await app.db.all(sql`SELECT count(*) AS n FROM ${what}`))[0]?.n as number
