import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { insertJobs, newJob } from "../jobs/enqueue.ts"
import { type JobRun, job, retryAfter } from "../jobs/job.ts"
import { exponential } from "../jobs/retry.ts"
import { type Address, checkedAddress } from "./address.ts"
import { claimMail, deferMail, noteError, settleMail } from "./claims.ts"
import type { Mailer, Message, Outcome } from "./mailer.ts"
import { findMail, type StoredMail } from "./stored-mail.ts"
import { findSuppression, suppress } from "./suppressions.ts"
import { unsubscribeLink, unsubscribePlaceholder } from "./unsubscribe-link.ts"

/** Where a person gets mail; null for somebody who does not exist, or wants none. */
export type AddressOf = (app: App, user: string) => Promise<Address | null>

/** What the delivery of mail wants of the deployment. */
export interface MailReach {
  readonly mailer: Mailer
  readonly addressOf: AddressOf
}

const payload = z.object({ mail: z.string() })

/** Within eight hours, which is less than any provider remembers. */
const retryDelays = exponential({ attempts: 12, firstSeconds: 15, mostSeconds: 14_400 })

/**
 * Delivers one mail, never twice: it is claimed before a driver gets it, and what was claimed and not settled may have
 * left. Four trips, and one more for a person's address.
 */
export const deliverMail = job<typeof payload, MailReach>("mail.deliver", {
  payload,
  retryDelays,
  timeoutSeconds: 600,
  run: deliver,
})

async function deliver(run: JobRun<z.output<typeof payload>>, reach: MailReach): Promise<void> {
  const { app } = run
  const { mailer } = reach
  const mail = await findMail(app, run.payload.mail)
  // Settled by another job, or swept.
  if (mail?.state !== "waiting" && mail?.state !== "sending") return
  if (mail.state === "sending" && !isRemembered(mail, mailer, app.now())) {
    const error = "An earlier attempt ended without an answer: the mail may have left."
    return settleMail(app, mail, { state: "uncertain", error })
  }
  const to = await addressFor(app, mail, reach)
  if (to === null) {
    return settleMail(app, mail, { state: "failed", error: "There is no address to send it to." })
  }
  if (mail.state === "waiting") {
    const found = await findSuppression(app, to.email, mail.list)
    if (found) return settleMail(app, mail, { state: "suppressed", error: found.reason })
  }
  const message = await messageOf(app, mail, to)
  const claim = await claimMail(app, mail, to, mailer.driver)
  if (claim.kind === "gone") return
  if (claim.kind === "over_rate") return postpone(app, mail, claim.resumeSeconds)
  const outcome = await mailer.send(message, run.signal)
  await record(run, mailer, { ...mail, attempts: claim.attempts }, message, outcome)
}

/** Whether the driver that may have it would know it again. */
const isRemembered = (mail: StoredMail, mailer: Mailer, now: number): boolean =>
  mail.driver === mailer.driver &&
  now - Date.parse(mail.claimedAt as string) < mailer.remembersSeconds * 1_000

async function addressFor(
  app: App,
  { recipient, address, name }: StoredMail,
  { addressOf }: MailReach,
): Promise<Address | null> {
  if (recipient === null) return { email: address as string, name }
  const found = await addressOf(app, recipient)
  try {
    return found && checkedAddress(found)
  } catch (error) {
    if (error instanceof Problem) return null
    throw error
  }
}

/** Complete: with the link for unsubscribing, and the headers that mailboxes and their answering machines look at. */
async function messageOf(app: App, mail: StoredMail, to: Address): Promise<Message> {
  const { id, subject, list, locale } = mail
  const headers = { "Auto-Submitted": "auto-generated", "Content-Language": locale }
  if (list === null) return { id, to, subject, text: mail.text, html: mail.html, headers }
  const { settings } = app
  if (settings.publicUrl === null) {
    const cause = new Error("PUBLIC_URL: is needed for mails that one can unsubscribe from")
    throw new Problem("misconfigured", { cause })
  }
  const address = to.email
  const link = await unsubscribeLink(settings, settings.publicUrl, { address, list, locale })
  return {
    id,
    to,
    subject,
    text: mail.text.replaceAll(unsubscribePlaceholder, link),
    html: mail.html.replaceAll(unsubscribePlaceholder, link),
    headers: {
      ...headers,
      // RFC 8058: one click, without a page between.
      "List-Unsubscribe": `<${link}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
  }
}

/** A job of its own for later: waiting for one's turn is no failed attempt, however long the queue is. */
async function postpone(app: App, mail: StoredMail, delaySeconds: number): Promise<void> {
  const { id, organisation } = mail
  const key = `${id}/${new Date(app.now() + delaySeconds * 1_000).toISOString()}`
  const later = newJob(
    deliverMail,
    { mail: id },
    { key, delaySeconds, organisation, priority: "low" },
  )
  await app.db.all(insertJobs(app, [later]))
  app.wake("jobs")
}

async function record(
  run: JobRun<unknown>,
  mailer: Mailer,
  mail: StoredMail,
  message: Message,
  outcome: Outcome,
): Promise<void> {
  const { app } = run
  const last = run.attempt > retryDelays.length
  const { id, template, attempts } = mail
  const { kind } = outcome
  // The reason stays with the mail: it may name the address, which no log shall.
  app.log(kind === "sent" ? "info" : "warn", `mail ${kind}`, { mail: id, template, attempts })
  switch (kind) {
    case "sent": {
      const { messageId } = outcome
      const bodies = mailer.keepsBodies ? message : { text: "", html: "" }
      return settleMail(app, mail, { state: "sent", messageId, bodies })
    }
    case "refused":
      if (outcome.bounced) {
        const { email: address } = message.to
        await suppress(app, { address, list: null, reason: "bounce", detail: outcome.reason })
      }
      return settleMail(app, mail, { state: "failed", error: outcome.reason })
    case "deferred":
      if (last) return settleMail(app, mail, { state: "failed", error: outcome.reason })
      await deferMail(app, mail, outcome.reason)
      throw again(outcome.retryAfterSeconds)
    case "unknown":
      if (last || mailer.remembersSeconds === 0) {
        return settleMail(app, mail, { state: "uncertain", error: outcome.reason })
      }
      await noteError(app, mail, outcome.reason)
      throw again()
  }
}

const again = (seconds?: number): Error => {
  const reason = "The mail was not accepted; its own entry says why."
  return seconds === undefined ? new Error(reason) : retryAfter(seconds, reason)
}
