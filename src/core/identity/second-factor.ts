import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { createChallenge } from "./challenges.ts"
import type { Person } from "./person.ts"
import { levelOf } from "./step-up.ts"

/**
 * Nothing, when these methods are enough for this person. Else the first factor was right, and the answer holds a
 * challenge with which the second one completes the sign-in (challenge-answers.ts). No trip.
 *
 * @throws {Problem} `account_disabled`; `second_factor_required` with `challenge` and `methods`
 */
export function assertSecondFactor(
  app: App,
  signIn: {
    readonly person: Person
    readonly methods: readonly string[]
    readonly organisation?: string | null
  },
): void {
  const { person, methods, organisation } = signIn
  if (person.disabledAt !== null) throw new Problem("account_disabled")
  if (person.secondFactors.length === 0 || levelOf(methods) === "aal2") return
  const challenge = createChallenge(app, "secondFactor", {
    user: person.id,
    epoch: person.epoch,
    methods,
    ...(organisation !== undefined && { organisation }),
  })
  throw new Problem("second_factor_required", {
    detail: "Send the challenge back with a code, a recovery code or a passkey.",
    extensions: { challenge, methods: person.secondFactors },
  })
}
