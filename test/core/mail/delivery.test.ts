import { beforeEach, expect, test } from "vitest"
import { postponedBy } from "../../../src/core/jobs/job.ts"
import { settleMail } from "../../../src/core/mail/claims.ts"
import { outboxDriver } from "../../../src/core/mail/drivers/outbox.ts"
import { insertMails, mailFor } from "../../../src/core/mail/enqueue.ts"
import type { Outcome } from "../../../src/core/mail/mailer.ts"
import { sendAgain } from "../../../src/core/mail/mails.ts"
import { newMail } from "../../../src/core/mail/new-mail.ts"
import { findSuppression, suppress } from "../../../src/core/mail/suppressions.ts"
import { sweepMails } from "../../../src/core/mail/sweep.ts"
import { sql } from "../../../src/platform/sql.ts"
import { eventually } from "../../support/eventually.ts"
import {
  addressOf,
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
      mailFor(app, null, addressOf).send(note, ann, { text: "another" }, { cause: "once" }),
    ),
  )
  expect(await count(app, sql`mails WHERE cause = 'once'`)).toBe(1)
  expect(await count(app, sql`jobs`)).toBe(jobs + 1)
})

test("two thousand mails of a list go into one batch, behind what somebody waits for", async () => {
  const mails = Array.from({ length: 2_000 }, (_, n) =>
    newMail(
      note,
      { email: `reader-${n}@example.test` },
      { text: "News" },
      { cause: `news-${n}`, list: "News" },
    ),
  )
  const statements = insertMails(app, mails)
  for (const { params } of statements) {
    // D1 takes values of 2 MB.
    for (const value of params) expect(String(value).length).toBeLessThan(1_000_000)
  }
  expect(statements.length).toBeLessThan(40)
  await app.db.batch(statements)
  expect(await count(app, sql`mails WHERE list = 'News'`)).toBe(2_000)
  const jobs = await app.db.all(
    sql`SELECT j.priority, count(*) AS jobs FROM jobs j JOIN mails m ON m.id = j.key WHERE m.list = 'News' GROUP BY j.priority`,
  )
  expect(jobs).toEqual([{ priority: 2, jobs: 2_000 }])
})

test("one mail of more than a part's size goes as well", async () => {
  const text = "x".repeat(400_000)
  const mails = ["a", "b", "c"].map((cause) =>
    newMail(note, ann, { text }, { cause: `big-${cause}` }),
  )
  await app.db.batch(insertMails(app, mails))
  expect(await count(app, sql`mails WHERE cause LIKE 'big-%'`)).toBe(3)
})

test("many people get a mail each in their own language, once", async () => {
  const readers = [{ user: "r1", locale: "de" }, { user: "r2" }]
  const options = { cause: "issue-1", list: "Issues" }
  const mail = mailFor(app, null, addressOf)
  await mail.sendAll(note, readers, { text: "x" }, options)
  await mail.sendAll(note, [...readers, { user: "r3" }], { text: "x" }, options)
  await mail.sendAll(note, [], { text: "x" }, options)
  expect(
    await app.db.all(
      sql`SELECT cause, recipient, locale FROM mails WHERE list = 'Issues' ORDER BY cause`,
    ),
  ).toEqual([
    { cause: "issue-1/r1", recipient: "r1", locale: "de" },
    { cause: "issue-1/r2", recipient: "r2", locale: "en" },
    { cause: "issue-1/r3", recipient: "r3", locale: "en" },
  ])
})

test("who asks for a list again gets it again, unless they unsubscribed after that; nothing else is lifted", async () => {
  const mail = mailFor(app, null, addressOf)
  people.back = { email: ann.email, name: null }
  const given = { address: ann.email, detail: null }
  const at = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString()
  await suppress(app, { ...given, list: "News", reason: "unsubscribed" })
  await suppress(app, { ...given, list: "Offers", reason: "unsubscribed" })
  await suppress(app, { ...given, list: "Alerts", reason: "administrator" })
  await mail.resubscribe("News", { user: "back" }, at(-60))
  expect(await findSuppression(app, ann.email, "News")).not.toBeNull()
  for (const list of ["News", "Alerts"]) await mail.resubscribe(list, { user: "back" }, at(60))
  expect(await findSuppression(app, ann.email, "News")).toBeNull()
  expect(await findSuppression(app, ann.email, "Offers")).not.toBeNull()
  expect(await findSuppression(app, ann.email, "Alerts")).not.toBeNull()
  await mail.resubscribe("Offers", { email: ann.email.toUpperCase() }, at(60))
  expect(await findSuppression(app, ann.email, "Offers")).toBeNull()
  await suppress(app, { ...given, list: null, reason: "bounce" })
  await mail.resubscribe("News", { user: "back" }, at(60))
  await mail.resubscribe("", { user: "back" }, at(60))
  await mail.resubscribe("News", { user: "nobody" }, at(60))
  expect(await findSuppression(app, ann.email, "News")).toMatchObject({ reason: "bounce" })
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
  const [id, lines, nobody, odd] = [
    await caused(app, { user: "u1" }),
    await caused(app, { user: "lines" }),
    await caused(app, { user: "gone" }),
    await caused(app, { user: "odd" }),
  ]
  expect(await mailOf(app, id)).toMatchObject({ address: null, recipient: "u1" })
  people.u1 = { email: ann.email, name: "Ann" }
  people.odd = { email: "x\r\nBcc: y@example.test", name: null }
  people.lines = { email: ann.email, name: "Ann\nBcc: y@example.test" }
  for (const mail of [id, lines, nobody, odd]) await attempt(app, mail, mailer)
  // A name that cannot stand in a head is left out, not the mail.
  expect(mailer.messages.map(({ to }) => to)).toEqual([
    { email: ann.email, name: "Ann" },
    { email: ann.email, name: null },
  ])
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
  await eventually(() => expect(slow.messages).toHaveLength(1))
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

test("what was certainly not accepted comes again for three days, however often, and then fails", async () => {
  let now = Date.now()
  const clocked = appWith({ now: () => now })
  const id = await caused(clocked, ann)
  const start = new Date(now).toISOString()
  const busy = recordingMailer(() => ({
    kind: "deferred",
    reason: "451 later",
    retryAfterSeconds: 90,
  }))
  for (let n = 0; n < 40; n++) {
    const error = await attempt(clocked, id, busy, 1, start).catch((thrown: unknown) => thrown)
    expect(postponedBy(error)).toBe(90)
    expect((error as Error).message).not.toContain(ann.email)
  }
  expect(await mailOf(app, id)).toMatchObject({
    state: "waiting",
    error: "451 later",
    claimedAt: null,
    attempts: 40,
  })
  const back = await caused(clocked, ann)
  await expect(attempt(clocked, back, busy)).rejects.toThrow()
  await attempt(clocked, back, recordingMailer(), 1)
  expect(await mailOf(app, back)).toMatchObject({ state: "sent", error: null, attempts: 2 })
  now += 3 * 86_400_000
  await attempt(clocked, id, busy, 1, start)
  expect(await mailOf(app, id)).toMatchObject({ state: "failed", error: "451 later" })
})

test("without a word of when, it waits longer each time", async () => {
  const id = await caused(app, ann)
  const down = recordingMailer(() => ({ kind: "deferred", reason: "421 down" }))
  const waits: (number | null)[] = []
  for (let n = 0; n < 13; n++) {
    waits.push(postponedBy(await attempt(app, id, down).catch((thrown: unknown) => thrown)))
  }
  expect(waits).toEqual([
    15, 30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 14_400, 14_400, 14_400,
  ])
})

test("a no after an attempt that may have been accepted leaves that open", async () => {
  let now = Date.now()
  const clocked = appWith({ now: () => now })
  const id = await caused(clocked, ann)
  const start = new Date(now).toISOString()
  const changes = { driver: "resend", remembersSeconds: 3_600 } as const
  const lost = recordingMailer(() => ({ kind: "unknown", reason: "no answer" }), changes)
  const busy = recordingMailer(() => ({ kind: "deferred", reason: "429" }), changes)
  await expect(attempt(clocked, id, lost, 1, start)).rejects.toThrow()
  await expect(attempt(clocked, id, busy, 2, start)).rejects.toThrow()
  expect(await mailOf(app, id)).toMatchObject({ state: "sending", error: "429" })
  now += 3_601_000
  await attempt(clocked, id, busy, 2, start)
  expect([await stateOf(app, id), busy.messages.length]).toEqual(["uncertain", 1])
})

test("what is asked for again is the same to the letter, whoever has moved meanwhile", async () => {
  people.moving = { email: ann.email, name: "Ann" }
  const id = await caused(app, { user: "moving" }, { list: "News" })
  const changes = { driver: "resend", remembersSeconds: 3_600 } as const
  const lost = recordingMailer(() => ({ kind: "unknown", reason: "no answer" }), changes)
  await expect(attempt(app, id, lost)).rejects.toThrow()
  people.moving = { email: "elsewhere@example.test", name: "Ann B." }
  await expect(attempt(app, id, lost, 2)).rejects.toThrow()
  expect(lost.messages).toHaveLength(2)
  expect(lost.messages[1]).toEqual(lost.messages[0])
  expect(lost.messages[0]?.headers["List-Unsubscribe"]).toContain("token=")
  // Another mail has another link, so that nobody can tell readers by theirs.
  const other = recordingMailer()
  await attempt(app, await caused(app, ann, { list: "News" }), other)
  expect(other.messages[0]?.headers["List-Unsubscribe"]).not.toBe(
    lost.messages[0]?.headers["List-Unsubscribe"],
  )
})

test("what a provider will not tell is not asked again", async () => {
  const id = await caused(app, ann)
  const odd = recordingMailer(
    () => ({ kind: "unknown", reason: "409 invalid_idempotent_request", lasting: true }),
    { driver: "resend", remembersSeconds: 3_600 },
  )
  await attempt(app, id, odd)
  expect(await mailOf(app, id)).toMatchObject({ state: "uncertain", attempts: 1 })
})

test("a late end that changes nothing is not counted", async () => {
  const counted: unknown[] = []
  const counting = Object.create(app, {
    count: { value: (_: string, labels: { outcome: string }) => counted.push(labels.outcome) },
  }) as typeof app
  const id = await caused(app, ann)
  await attempt(counting, id)
  const mail = { ...(await mailOf(app, id)), state: "waiting" } as const
  await settleMail(counting, mail, { state: "failed", error: "late" })
  await settleMail(counting, { ...mail, attempts: 7 }, { state: "uncertain", error: "later" })
  expect(counted).toEqual(["sent"])
})

test("mail goes to providers a few at a time", async () => {
  const id = await caused(app, ann)
  const jobs = await app.db.all(sql`SELECT lane, laneLimit FROM jobs WHERE key = ${id}`)
  expect(jobs).toEqual([{ lane: "mail.deliver", laneLimit: 5 }])
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
  const start = new Date(now).toISOString()
  const ends = await Promise.all(
    ids.map((id) => attempt(clocked, id, mailer, 1, start).catch((thrown: unknown) => thrown)),
  )
  expect(mailer.messages).toHaveLength(30)
  const waiting = ids.filter((id) => !mailer.messages.some((message) => message.id === id))
  for (const id of waiting) {
    expect(await mailOf(clocked, id)).toMatchObject({ state: "waiting", attempts: 0 })
    // The same job, which comes back, and none beside it.
    expect(await jobsOf(clocked, id)).toHaveLength(1)
  }
  const waits = ends.flatMap((end) => (end === undefined ? [] : [postponedBy(end)]))
  expect(waits).toHaveLength(3)
  for (const wait of waits) {
    expect(wait).toBeGreaterThan(3_500)
    expect(wait).toBeLessThanOrEqual(3_600)
  }
  // Others are not held up.
  const bob = await caused(clocked, { email: "bob@example.test" })
  await attempt(clocked, bob, mailer)
  expect(await stateOf(clocked, bob)).toBe("sent")
  // Who has waited long does not look every hour.
  now += 3_500_000
  const [first] = waiting as [string]
  const longAgo = new Date(now - 86_400_000).toISOString()
  const again = await attempt(clocked, first, mailer, 1, longAgo).catch((thrown: unknown) => thrown)
  expect(postponedBy(again)).toBe(21_600)
  now += 100_001
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

test("what its job left behind is settled: what may have left is uncertain, what waits has failed", async () => {
  let now = Date.now()
  const clocked = appWith({ now: () => now })
  const [hanging, orphan, again] = [
    await caused(clocked, ann),
    await caused(clocked, ann),
    await caused(clocked, ann),
  ]
  await app.db.all(
    sql`UPDATE mails SET state = 'sending', claimedAt = createdAt WHERE id = ${hanging}`,
  )
  const both = [hanging, orphan]
  now += 7_200_000
  await sweepMails(clocked)
  // Their jobs have not ended, and will tell.
  expect(await Promise.all(both.map((id) => stateOf(app, id)))).toEqual(["sending", "waiting"])
  await app.db.all(
    sql`UPDATE jobs SET state = 'dead', finishedAt = createdAt WHERE key IN (${hanging}, ${orphan}, ${again})`,
  )
  await app.db.all(sql`UPDATE mails SET error = 'E' WHERE id = ${again}`)
  await sweepMails(clocked)
  expect(await Promise.all(both.map((id) => stateOf(app, id)))).toEqual(["uncertain", "failed"])
  expect(await mailOf(app, orphan)).toMatchObject({
    error: "Its job ended before the mail could be sent.",
  })
  expect(await mailOf(app, again)).toMatchObject({ state: "failed", error: "E" })
  // Then an administrator's word makes it a job of its own.
  await sendAgain(clocked, orphan)
  await sweepMails(clocked)
  expect(await stateOf(app, orphan)).toBe("waiting")
  now += 31 * 86_400_000
  await sweepMails(clocked)
  await expect(sendAgain(clocked, hanging)).rejects.toMatchObject({ code: "conflict" })
})

test("a mail that is not there is nobody's business", async () => {
  const mailer = recordingMailer()
  await attempt(app, app.newId(), mailer)
  expect(mailer.messages).toEqual([])
})

test("after thirty days a mail can no longer be read, after 120 its cause is forgotten", async () => {
  // Ids never go back behind a clock that was ahead, as in the test before.
  let now = Date.now() + 40 * 86_400_000
  const clocked = appWith({ now: () => now })
  const [sent, waiting] = [await caused(clocked, ann, { cause: "old" }), await caused(clocked, ann)]
  await attempt(clocked, sent)
  now += 29 * 86_400_000
  await sweepMails(clocked)
  expect(await mailOf(app, sent)).toMatchObject({ address: ann.email, subject: "A note" })
  now += 86_400_000 + 1_000
  await sweepMails(clocked)
  expect(await mailOf(app, sent)).toMatchObject({
    cause: "old",
    state: "sent",
    subject: "",
    text: "",
    html: "",
    address: null,
    addressNormalised: null,
    name: null,
  })
  expect(await mailOf(app, waiting)).toMatchObject({ address: ann.email, subject: "A note" })
  // A dead job can be run again for 90 days: what it causes then has been sent.
  now += 85 * 86_400_000
  await sweepMails(clocked)
  expect(await caused(clocked, ann, { cause: "old" })).toBe(sent)
  now += 6 * 86_400_000
  await sweepMails(clocked)
  expect(await count(app, sql`mails WHERE id = ${sent}`)).toBe(0)
  expect(await stateOf(app, waiting)).toBe("waiting")
})
