import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import type { Sql } from "../../platform/sql.ts"
import { matchingCode, selectAuthenticators } from "./authenticators.ts"
import type { SecondFactor } from "./factors.ts"
import { selectRecoveryCode, spendRecoveryCode } from "./recovery-codes.ts"

/** A second factor, as it is sent: exactly one of these. */
export interface GivenFactor {
  readonly code?: string | undefined
  readonly recoveryCode?: string | undefined
}

/** A factor that was right, and the statements that use it up: in the batch of what it was shown for. */
export interface Proof {
  readonly method: SecondFactor
  readonly writes: readonly Sql[]
}

/** What `prove` has to know, as one statement for the trip before. */
export const selectForProof = (app: App, user: string, given: GivenFactor): Sql =>
  given.code !== undefined
    ? selectAuthenticators(user)
    : selectRecoveryCode(app, user, given.recoveryCode ?? "")

/** Null when it is wrong. No trip. */
export async function prove(
  app: App,
  user: string,
  given: GivenFactor,
  rows: readonly Row[],
): Promise<Proof | null> {
  if (given.code !== undefined) {
    const writes = await matchingCode(app, user, rows, given.code)
    return writes && { method: "otp", writes }
  }
  const hash = rows[0]?.hash as string | undefined
  return hash === undefined ? null : { method: "rcv", writes: spendRecoveryCode(app, user, hash) }
}
