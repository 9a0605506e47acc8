import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import type { CaptchaSettings } from "../../platform/settings.ts"
import type { AttemptLimits } from "./attempts.ts"
import type { Caller } from "./caller.ts"
import { turnstile } from "./turnstile.ts"

/** What strangers' programs would do in numbers. The widget is given it, and what it answers with is good for that alone. */
export type CaptchaAction = "sign-up" | "sign-in" | "anonymous" | "password-reset" | "mail-code"

/** Who tells people from programs. */
export interface Captcha {
  /** Whether the widget's answer is good for that action, now, and was not used before. Nothing is kept of it here. */
  verify(action: CaptchaAction, answer: string, caller: Caller, now: number): Promise<Verdict>
}

/** `unknown`: nobody could be asked, or what they said made no sense. */
export type Verdict =
  | { readonly kind: "good" }
  | { readonly kind: "bad" | "unknown"; readonly reason: string }

/** The header with the widget's answer. */
export const captchaHeader = "x-captcha-response"

/** Longer than any that Turnstile gives. */
const maxAnswer = 2_048

/**
 * Nothing, for whoever has shown that they are no program, and where the deployment asks nobody to. What cannot be asked
 * about is refused: else whoever brings the verifier down has the doors open.
 *
 * @param answer the widget's, as the header has it
 * @throws {Problem} `captcha_required` with `action` and `siteKey`, for the widget; `captcha_invalid`; `captcha_unavailable`
 */
export async function assertHuman(
  app: App,
  action: CaptchaAction,
  answer: string | null,
  caller: Caller,
): Promise<void> {
  const { captcha } = app.settings
  if (captcha === null) return
  if (answer === null) throw captchaRequired(captcha, action)
  if (answer.length > maxAnswer) throw new Problem("captcha_invalid")
  const verdict = await turnstile(captcha).verify(action, answer, caller, app.now())
  if (verdict.kind === "good") return
  if (verdict.kind === "bad") {
    throw new Problem("captcha_invalid", { extensions: toShow(captcha, action) })
  }
  app.log("warn", "captcha not verified", { reason: verdict.reason })
  throw new Problem("captcha_unavailable", { headers: { "retry-after": "5" } })
}

const toShow = ({ siteKey }: CaptchaSettings, action: CaptchaAction) => ({ action, siteKey })

const captchaRequired = (captcha: CaptchaSettings, action: CaptchaAction): Problem =>
  new Problem("captcha_required", {
    detail: `Show the widget for the action ${action}, and send its answer in X-Captcha-Response.`,
    extensions: toShow(captcha, action),
  })

/** So many wrong passwords of an account, or of a network address, need none: people mistype. */
export const freeGuesses: AttemptLimits = { account: 3, address: 20 }

/**
 * Before a password is looked at: null for whoever has shown that they are no program, or need not; else the refusal for
 * when there are no free guesses left.
 *
 * @throws {Problem} as `assertHuman`
 */
export async function signInCaptcha(
  app: App,
  answer: string | null,
  caller: Caller,
): Promise<Problem | null> {
  const { captcha } = app.settings
  if (captcha === null || captcha.signIn === "never") return null
  if (answer === null && captcha.signIn === "after-failures") {
    return captchaRequired(captcha, "sign-in")
  }
  await assertHuman(app, "sign-in", answer, caller)
  return null
}
