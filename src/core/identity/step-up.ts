import type { Actor, App, UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"

/** For so long after a proof of identity, sensitive calls need no new one. */
export const recentSeconds = 10 * 60

/** Methods of which each counts as two factors, or as a second one (RFC 8176). */
const strong = new Set(["hwk", "otp", "rcv"])

/** `aal2` with a second factor or a passkey, else `aal1` (NIST SP 800-63B). */
export const levelOf = (methods: readonly string[]): "aal1" | "aal2" =>
  methods.some((method) => strong.has(method)) ? "aal2" : "aal1"

/**
 * For calls that would let a thief of a session keep the account: the person proved who they are not long ago, and nobody
 * acts in their name.
 *
 * @throws {Problem} `step_up_required` (RFC 9470): sign in again; `forbidden` for impersonators
 */
export function assertRecent(app: App, actor: UserActor, seconds = recentSeconds): void {
  if (actor.key) throw new Problem("forbidden", "API keys may not do this: sign in.")
  assertOwnName(actor)
  // They have nothing to prove it with but this session.
  if (actor.anonymous) return
  if (app.now() - actor.authenticatedAt <= seconds * 1_000) return
  throw proofExpired(seconds)
}

/** For calls that change an account or its sessions. @throws {Problem} `forbidden` for whoever acts in another's name */
export function assertOwnName(actor: Actor): void {
  if (actor.kind === "user" && actor.impersonator !== null) {
    throw new Problem("forbidden", "Nobody may do this in another's name.")
  }
}

/** The person has to prove once more who they are: a proof of theirs may be at most `seconds` old. */
export const proofExpired = (seconds: number): Problem =>
  new Problem("step_up_required", {
    detail: `Sign in again: this asks for a proof that is at most ${seconds} s old.`,
    headers: {
      "www-authenticate": `Bearer error="insufficient_user_authentication", max_age=${seconds}`,
    },
    extensions: { maxAge: seconds },
  })
