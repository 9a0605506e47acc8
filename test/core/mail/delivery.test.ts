import { beforeEach, expect, test } from "vitest"
import { retryAfterOf } from "../../../src/core/jobs/job.ts"
import { outboxDriver } from "../../../src/core/mail/drivers/outbox.ts"
import { insertMails, mailFor } from "../../../src/core/mail/enqueue.ts"
import type { Outcome } from "../../../src/core/mail/mailer.ts"
import { newMail } from "../../../src/core/mail/new-mail.ts"
import { findSuppression, suppress } from "../../../src/core/mail/suppressions.ts"
import { sweepMails } from "../../../src/core/mail/sweep.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  appWith,
  attempt,
  caused,
  count,
  jobsOf,
  mailOf,
  note,
  people,
  recordingMailer,
  stateOf,
} from "./cast.ts"

const app = appWith()
let number = 0
/** Each test has somebody of its own, because an address gets only so much. */
let ann: { email: string }
beforeEach(() => {
  ann = { email: `ann-${++number}@example.test` }
})

test("a mail is caused by the batch of a write, or not at all", async () => {
  const mail = newMail(note, ann, { text: "x" }, { cause: "write-1" })
  const refusal = sql`INSERT INTO refusals (refusal) VALUES ('refused|0|forbidden||')`
  await expect(app.db.batch([...insertMails(app, [mail]), refusal])).rejects.toThrow("forbidden")
  expect(await count(app, sql`mails WHERE cause = 'write-1'`)).toBe(0)
  expect(await count(app, sql`jobs`)).toBe(0)
  await app.db.batch(insertMails(app, [mail]))
  const [row] = await app.db.all(sql`SELECT id, state FROM mails WHERE cause = 'write-1'`)
  expect(row?.state).toBe("waiting")
  expect(await jobsOf(app, row?.id as string)).toMatchObject([{ key: row?.id, priority: 1 }])
})

test("for one cause there is one mail and one job, however often it is caused", async () => {
  const mail = () => newMail(note, ann, { text: "x" }, { cause: "once" })
  const jobs = await count(app, sql`jobs`)
  await app.db.batch(insertMails(app, [mail(), mail()]))
  await Promise.all(
    Array.from({ length: 5 }, () =>
      mailFor(app, null).send(note, ann, { text: "another" }, { cause: "once" }),
    ),
  )
  expect(await count(app, sql`mails WHERE cause = 'once'`)).toBe(1)
  expect(await count(app, sql`jobs`)).toBe(jobs + 1)
})

test("many mails are two statements, and a list goes behind what somebody waits for", async () => {
  const mails = Array.from({ length: 500 }, (_, n) =>
    newMail(
      note,
      { email: `reader-${n}@example.test` },
      { text: "News" },
      { cause: `news-${n}`, list: "News" },
    ),
  )
  const statements = insertMails(app, mails)
  expect(statements.length).toBe(2)
  await app.db.batch(statements)
  expect(await count(app, sql`mails WHERE list = 'News'`)).toBe(500)
  const [job] = await app.db.all(
    sql`SELECT DISTINCT j.priority FROM jobs j JOIN mails m ON m.id = j.key WHERE m.list = 'News'`,
  )
  expect(job).toEqual({ priority: 2 })
})

test("the outbox keeps what it is given, and nothing leaves", async () => {
  const id = await caused(app, { ...ann, name: "Ann" })
  await attempt(app, id)
  expect(await mailOf(app, id)).toMatchObject({
    state: "sent",
    driver: "outbox",
    address: ann.email,
    name: "Ann",
    text: expect.stringContaining("The text"),
    html: expect.stringContaining("The text"),
    sentAt: expect.stringMatching(/Z$/),
  })
})

test("what a driver has sent keeps its subject, not its bodies", async () => {
  const mailer = recordingMailer()
  const id = await caused(app, ann)
  await attempt(app, id, mailer)
  expect(mailer.messages).toMatchObject([
    {
      id,
      to: { email: ann.email, name: null },
      subject: "A note",
      text: expect.stringContaining("The text"),
      headers: { "Auto-Submitted": "auto-generated", "Content-Language": "en" },
    },
  ])
  expect(await mailOf(app, id)).toMatchObject({
    state: "sent",
    subject: "A note",
    text: "",
    html: "",
    messageId: `provider-${id}`,
    attempts: 1,
  })
  await attempt(app, id, mailer)
  expect(mailer.messages).toHaveLength(1)
})

test("a person's address is looked up when the mail leaves", async () => {
  const mailer = recordingMailer()
  const [id, nobody, odd] = [
    await caused(app, { user: "u1" }),
    await caused(app, { user: "gone" }),
    await caused(app, { user: "odd" }),
  ]
  expect(await mailOf(app, id)).toMatchObject({ address: null, recipient: "u1" })
  people.u1 = { email: ann.email, name: "Ann" }
  people.odd = { email: "x\r\nBcc: y@example.test", name: null }
  for (const mail of [id, nobody, odd]) await attempt(app, mail, mailer)
  expect(mailer.messages.map(({ to }) => to)).toEqual([{ email: ann.email, name: "Ann" }])
  expect(await mailOf(app, id)).toMatchObject({ state: "sent", address: ann.email, name: "Ann" })
  for (const mail of [nobody, odd]) {
    expect(await mailOf(app, mail)).toMatchObject({
      state: "failed",
      error: "There is no address to send it to.",
    })
  }
})

test("two runs at once give it to the driver once", async () => {
  const mailer = recordingMailer()
  const id = await caused(app, ann)
  await Promise.all(Array.from({ length: 6 }, () => attempt(app, id, mailer)))
  expect(mailer.messages).toHaveLength(1)
  expect(["sent", "uncertain"]).toContain(await stateOf(app, id))
})

test("a run that died while it sent: the mail is uncertain, and does not leave again by itself", async () => {
  const id = await caused(app, ann)
  const dying = recordingMailer(() => {
    throw new Error("the process was killed")
  })
  await expect(attempt(app, id, dying)).rejects.toThrow("killed")
  expect(await stateOf(app, id)).toBe("sending")
  const mailer = recordingMailer()
  for (const again of [2, 3, 4]) await attempt(app, id, mailer, again)
  expect(mailer.messages).toEqual([])
  expect(await mailOf(app, id)).toMatchObject({
    state: "uncertain",
    error: expect.stringContaining("may have left"),
    text: expect.stringContaining("The text"),
  })
})

test("a run that was thought dead still brings its answer", async () => {
  const id = await caused(app, ann)
  let answer: (outcome: Outcome) => void = () => {}
  const slow = recordingMailer(() => new Promise<Outcome>((resolve) => (answer = resolve)))
  const first = attempt(app, id, slow)
  await expect.poll(() => slow.messages.length).toBe(1)
  await attempt(app, id, recordingMailer(), 2)
  expect(await stateOf(app, id)).toBe("uncertain")
  answer({ kind: "sent", messageId: "late" })
  await first
  expect(await mailOf(app, id)).toMatchObject({ state: "sent", messageId: "late", error: null })
})

test("a driver that knows a mail again is asked again, with the same id, while it remembers", async () => {
  let now = Date.now()
  const clocked = appWith({ now: () => now })
  const id = await caused(clocked, ann)
  const changes = { driver: "resend", remembersSeconds: 3_600 } as const
  const lost = recordingMailer(() => ({ kind: "unknown", reason: "no answer" }), changes)
  await expect(attempt(clocked, id, lost)).rejects.toThrow("not accepted")
  expect(await mailOf(clocked, id)).toMatchObject({ state: "sending", error: "no answer" })
  now += 1_800_000
  await expect(attempt(clocked, id, lost, 2)).rejects.toThrow()
  expect(lost.messages.map((message) => message.id)).toEqual([id, id])
  // Another driver knows nothing of it.
  const other = recordingMailer()
  const [twin, third] = [await caused(clocked, ann), await caused(clocked, ann)]
  await expect(attempt(clocked, twin, lost)).rejects.toThrow()
  await attempt(clocked, twin, other, 2)
  expect([await stateOf(clocked, twin), other.messages.length]).toEqual(["uncertain", 0])
  // An hour after the first attempt, not the last, it has forgotten.
  now += 1_801_000
  await attempt(clocked, id, lost, 3)
  expect([await stateOf(clocked, id), lost.messages.length]).toEqual(["uncertain", 3])
  // At the end of all attempts nobody knows.
  await attempt(clocked, third, lost, 12)
  expect(await stateOf(clocked, third)).toBe("uncertain")
})

test("what was certainly not accepted waits, comes again, and fails in the end", async () => {
  const id = await caused(app, ann)
  const busy = recordingMailer(() => ({
    kind: "deferred",
    reason: "451 later",
    retryAfterSeconds: 90,
  }))
  const error = await attempt(app, id, busy).catch((thrown: unknown) => thrown)
  expect(retryAfterOf(error)).toBe(90)
  expect((error as Error).message).not.toContain(ann.email)
  expect(await mailOf(app, id)).toMatchObject({
    state: "waiting",
    error: "451 later",
    claimedAt: null,
  })
  await expect(attempt(app, id, busy, 11)).rejects.toThrow()
  await attempt(app, id, busy, 12)
  expect(await mailOf(app, id)).toMatchObject({ state: "failed", error: "451 later", attempts: 3 })
  const back = await caused(app, ann)
  await expect(attempt(app, back, busy)).rejects.toThrow()
  await attempt(app, back, recordingMailer(), 2)
  expect(await mailOf(app, back)).toMatchObject({ state: "sent", error: null, attempts: 2 })
})

test("an address that bounces gets no further mail; one that is refused for other reasons does", async () => {
  const spam = recordingMailer(() => ({ kind: "refused", reason: "554 spam", bounced: false }))
  const gone = recordingMailer(() => ({ kind: "refused", reason: "550 5.1.1", bounced: true }))
  const first = await caused(app, ann)
  await attempt(app, first, spam)
  expect(await mailOf(app, first)).toMatchObject({ state: "failed", error: "554 spam" })
  expect(await findSuppression(app, ann.email, null)).toBeNull()
  await attempt(app, await caused(app, ann), gone)
  expect(await findSuppression(app, ann.email, null)).toMatchObject({
    reason: "bounce",
    detail: "550 5.1.1",
  })
  const mailer = recordingMailer()
  const next = await caused(app, { email: ann.email.toUpperCase() })
  await attempt(app, next, mailer)
  expect(mailer.messages).toEqual([])
  expect(await mailOf(app, next)).toMatchObject({ state: "suppressed", error: "bounce" })
})

test("who unsubscribed from one list still gets another, and what belongs to using the product", async () => {
  await suppress(app, { address: ann.email, list: "News", reason: "unsubscribed", detail: null })
  const mailer = recordingMailer()
  const ids = [
    await caused(app, ann, { list: "News" }),
    await caused(app, ann, { list: "Offers" }),
    await caused(app, ann),
  ]
  for (const id of ids) await attempt(app, id, mailer)
  expect(await Promise.all(ids.map((id) => stateOf(app, id)))).toEqual([
    "suppressed",
    "sent",
    "sent",
  ])
})

test("suppressions hold in every database", async () => {
  const second = appWith({ database: "second" })
  await suppress(second, { address: ann.email, list: null, reason: "complaint", detail: null })
  expect(await findSuppression(app, ann.email, null)).toMatchObject({ reason: "complaint" })
  const id = await caused(second, ann)
  await attempt(second, id)
  expect(await stateOf(second, id)).toBe("suppressed")
  expect(await count(second, sql`mail_suppressions`)).toBe(0)
})

test("thirty an hour to one address; what is beyond waits for its turn, and none is lost", async () => {
  let now = Date.now()
  const clocked = appWith({ now: () => now })
  const mailer = recordingMailer()
  const ids: string[] = []
  for (let n = 0; n < 33; n++)
    ids.push(await caused(clocked, n % 2 ? ann : { email: ann.email.toUpperCase() }))
  await Promise.all(ids.map((id) => attempt(clocked, id, mailer)))
  expect(mailer.messages).toHaveLength(30)
  const waiting = ids.filter((id) => !mailer.messages.some((message) => message.id === id))
  for (const id of waiting) {
    expect(await mailOf(clocked, id)).toMatchObject({ state: "waiting", attempts: 0 })
    const [first, later, ...more] = await jobsOf(clocked, id)
    expect([first?.key, more]).toEqual([id, []])
    const wait = Date.parse(later?.runAt as string) - now
    expect(wait).toBeGreaterThan(3_500_000)
    expect(wait).toBeLessThanOrEqual(3_600_000)
  }
  // Others are not held up.
  const bob = await caused(clocked, { email: "bob@example.test" })
  await attempt(clocked, bob, mailer)
  expect(await stateOf(clocked, bob)).toBe("sent")
  now += 3_600_001
  for (const id of waiting) await attempt(clocked, id, mailer)
  expect(new Set(mailer.messages.map(({ id }) => id)).size).toBe(34)
  expect(mailer.messages).toHaveLength(34)
})

test("what failed does not count for the rate", async () => {
  const busy = recordingMailer(() => ({ kind: "deferred", reason: "451" }))
  const id = await caused(app, ann)
  for (let n = 1; n <= 40; n++) await attempt(app, id, busy, 1).catch(() => {})
  expect(busy.messages).toHaveLength(40)
})

test("a mail of a list has its link for unsubscribing, in the text, the HTML and the head", async () => {
  const mailer = recordingMailer()
  const id = await caused(app, ann, { list: "News", locale: "de" })
  await attempt(app, id, mailer)
  const { headers, text, html } = mailer.messages[0] as (typeof mailer.messages)[number]
  const [, link = ""] =
    /^<(http:\/\/127\.0\.0\.1:8787\/mail\/unsubscriptions\?token=[\w-]+)>$/.exec(
      headers["List-Unsubscribe"] ?? "",
    ) ?? []
  expect(headers["List-Unsubscribe-Post"]).toBe("List-Unsubscribe=One-Click")
  expect(text).toContain(`Diese Nachrichten abbestellen:\n${link}\n`)
  expect(html).toContain(`href="${link}"`)
  expect(link).not.toContain("ann")
  const outbox = await caused(app, ann, { list: "News" })
  await attempt(app, outbox, outboxDriver)
  expect((await mailOf(app, outbox)).html).not.toContain("unsubscribe.invalid")
})

test("a list needs to know where its links lead", async () => {
  const production = appWith({ variables: { ENVIRONMENT: "production" } })
  await expect(caused(production, ann, { list: "News" })).rejects.toMatchObject({
    code: "misconfigured",
  })
  await caused(production, ann)
})

test("after thirty days a mail is forgotten, unless it still waits; what hangs is called uncertain", async () => {
  let now = Date.now()
  const clocked = appWith({ now: () => now })
  const [sent, waiting, hanging] = [
    await caused(clocked, ann),
    await caused(clocked, ann),
    await caused(clocked, ann),
  ]
  await attempt(clocked, sent)
  const hangs = sql`UPDATE mails SET state = 'sending', claimedAt = createdAt WHERE id = ${hanging}`
  await app.db.all(hangs)
  now += 86_400_000
  await sweepMails(clocked)
  // Its job has not ended, and will tell.
  expect(await stateOf(app, hanging)).toBe("sending")
  await app.db.all(
    sql`UPDATE jobs SET state = 'dead', finishedAt = createdAt WHERE key = ${hanging}`,
  )
  await sweepMails(clocked)
  expect(await stateOf(app, hanging)).toBe("uncertain")
  expect(await stateOf(app, sent)).toBe("sent")
  now += 30 * 86_400_000
  const recent = await caused(clocked, ann)
  await sweepMails(clocked)
  const left = await app.db.all(
    sql`SELECT id, state FROM mails WHERE id IN (${sent}, ${waiting}, ${hanging}, ${recent}) ORDER BY id`,
  )
  expect(left).toEqual([
    { id: waiting, state: "waiting" },
    { id: recent, state: "waiting" },
  ])
})

test("a mail that is not there is nobody's business", async () => {
  const mailer = recordingMailer()
  await attempt(app, app.newId(), mailer)
  expect(mailer.messages).toEqual([])
})
