import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { type JobRun, job, postpone } from "../jobs/job.ts"
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

/** Of attempts whose outcome nobody knows: at most 8 h 16 min, which is less than any provider remembers. */
const retryDelays = exponential({ attempts: 12, firstSeconds: 15, mostSeconds: 14_400 })

/**
 * For so long a mail comes again that was certainly not accepted, or is one too many: daily quotas, servers that are
 * down, and keys that are wrong get over it in that time. RFC 5321, 4.5.4.1 asks for four days at least, of mail by hand.
 */
const patienceMilliseconds = 3 * 86_400_000

/**
 * Delivers one mail, never twice: it is claimed before a driver gets it, and what was claimed and not settled may have
 * left. Four trips, and one more for a person's address.
 */
export const deliverMail = job<typeof payload, MailReach>("mail.deliver", {
  payload,
  retryDelays,
  timeoutSeconds: 600,
  // Fewer than what providers take at a time. One number for all of them: a lane is stored when a mail is caused, and the
  // driver may be another when it leaves. The outbox could do more, but has no hurry.
  concurrency: { limit: 5 },
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
  if (claim.kind === "over_rate") {
    // Whoever has waited long waits longer: of a thousand, most would only come to find it full again.
    const seconds = Math.max(claim.resumeSeconds, waitedMilliseconds(run) / 4_000)
    return comeBack(run, mail, seconds, "Too many mails to this address.")
  }
  const outcome = await mailer.send(message, run.signal)
  await record(run, mailer, { ...mail, attempts: claim.attempts }, message, outcome)
}

/** Whether the driver that may have it would know it again. */
const isRemembered = (mail: StoredMail, mailer: Mailer, now: number): boolean =>
  mail.driver === mailer.driver &&
  now - Date.parse(mail.claimedAt as string) < mailer.remembersSeconds * 1_000

async function addressFor(
  app: App,
  { recipient, address, name, state }: StoredMail,
  { addressOf }: MailReach,
): Promise<Address | null> {
  // What may have left already is the same mail, to the letter, when it is asked for again.
  if (recipient === null || state === "sending") return { email: address as string, name }
  const found = await addressOf(app, recipient)
  // A name that no head of a mail can carry is none.
  return found && (mailable(found) ?? mailable({ ...found, name: null }))
}

/** The address, or null for what no mail can be sent to. */
function mailable(address: Address): Address | null {
  try {
    return checkedAddress(address)
  } catch (error) {
    if (error instanceof Problem) return null
    throw error
  }
}

/** Complete: with the link for unsubscribing, and the headers that mailboxes and their answering machines look at. */
async function messageOf(app: App, mail: StoredMail, to: Address): Promise<Message> {
  const { id, subject, list, locale, createdAt } = mail
  const headers = { "Auto-Submitted": "auto-generated", "Content-Language": locale }
  if (list === null)
    return { id, to, subject, text: mail.text, html: mail.html, createdAt, headers }
  const { settings } = app
  if (settings.publicUrl === null) {
    const cause = new Error("PUBLIC_URL: is needed for mails that one can unsubscribe from")
    throw new Problem("misconfigured", { cause })
  }
  const address = to.email
  const link = await unsubscribeLink(settings, settings.publicUrl, { address, list, locale }, id)
  return {
    id,
    to,
    subject,
    text: mail.text.replaceAll(unsubscribePlaceholder, link),
    html: mail.html.replaceAll(unsubscribePlaceholder, link),
    createdAt,
    headers: {
      ...headers,
      // RFC 8058: one click, without a page between.
      "List-Unsubscribe": `<${link}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
  }
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
    case "deferred": {
      const { reason, retryAfterSeconds } = outcome
      // An earlier attempt may have been accepted all the same.
      if (mail.state === "sending") await noteError(app, mail, reason)
      else await deferMail(app, mail, reason)
      const delay = retryDelays[Math.min(attempts, retryDelays.length) - 1] as number
      return comeBack(run, mail, retryAfterSeconds ?? delay, reason)
    }
    case "unknown":
      if (last || outcome.lasting || mailer.remembersSeconds === 0) {
        return settleMail(app, mail, { state: "uncertain", error: outcome.reason })
      }
      await noteError(app, mail, outcome.reason)
      throw new Error(notAccepted)
  }
}

/** The job's error: the reason itself may name the address, and stays with the mail. */
const notAccepted = "The mail was not accepted; its own entry says why."

/**
 * Later, as long as it makes sense: waiting for one's turn is no failed attempt.
 *
 * @throws what the engine takes for a postponement.
 */
async function comeBack(
  run: JobRun<unknown>,
  mail: StoredMail,
  seconds: number,
  reason: string,
): Promise<void> {
  if (waitedMilliseconds(run) < patienceMilliseconds) throw postpone(seconds, notAccepted)
  const state = mail.state === "sending" ? "uncertain" : "failed"
  await settleMail(run.app, mail, { state, error: reason })
}

const waitedMilliseconds = ({ app, createdAt }: JobRun<unknown>): number =>
  app.now() - Date.parse(createdAt)
