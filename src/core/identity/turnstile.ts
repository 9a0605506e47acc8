import * as z from "zod"
import type { CaptchaSettings } from "../../platform/settings.ts"
import type { Captcha, Verdict } from "./captcha.ts"

/*
 * Cloudflare Turnstile. Each answer of the widget can be verified once, within five minutes; we send no idempotency key,
 * so that a second time is a duplicate there.
 * @see https://developers.cloudflare.com/turnstile/get-started/server-side-validation/
 */

const timeoutMilliseconds = 5_000
const maxAgeMilliseconds = 300_000
/** Their clock and ours. */
const skewMilliseconds = 60_000

const shape = z.object({
  success: z.boolean(),
  hostname: z.string().optional(),
  action: z.string().optional(),
  challenge_ts: z.string().optional(),
  "error-codes": z.array(z.string()).default([]),
})
type Said = z.output<typeof shape>

/** What they say of answers; all other codes are about our secret, our request, or themselves. */
const aboutTheAnswer = new Set([
  "missing-input-response",
  "invalid-input-response",
  "timeout-or-duplicate",
])

export const turnstile = ({ secret, url, hostnames }: CaptchaSettings): Captcha => ({
  async verify(action, answer, { address }, now) {
    const said = await ask(url, { secret, response: answer, remoteip: address })
    if (typeof said === "string") return { kind: "unknown", reason: said }
    const codes = said["error-codes"]
    if (!said.success) {
      const bad = codes.length > 0 && codes.every((code) => aboutTheAnswer.has(code))
      return { kind: bad ? "bad" : "unknown", reason: codes.join(" ").slice(0, 200) }
    }
    return judge(said, action, hostnames, now)
  },
})

/** Good for another page, another purpose or another hour is not good here. */
function judge(said: Said, action: string, hostnames: readonly string[], now: number): Verdict {
  if (!hostnames.includes(said.hostname ?? "")) return { kind: "bad", reason: "hostname" }
  if (said.action !== action) return { kind: "bad", reason: "action" }
  const age = now - Date.parse(said.challenge_ts ?? "")
  // Also when it is no time at all.
  if (!(age <= maxAgeMilliseconds + skewMilliseconds && age >= -skewMilliseconds)) {
    return { kind: "bad", reason: "time" }
  }
  return { kind: "good" }
}

/** What they say, or why they say nothing; never the secret. */
async function ask(url: string, form: Record<string, string>): Promise<Said | string> {
  try {
    const response = await fetch(url, {
      method: "POST",
      // A redirect would carry the secret elsewhere.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMilliseconds),
      body: new URLSearchParams(form),
    })
    const said = shape.safeParse(await response.json())
    return said.success ? said.data : `answered ${response.status}, and not as documented`
  } catch (error) {
    return error instanceof Error ? error.name : "failed"
  }
}
