import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import type { Sql } from "../../platform/sql.ts"
import { type GivenPasskey, selectPasskey, verifyAssertion } from "./assertions.ts"
import { matchingCode, selectAuthenticators } from "./authenticators.ts"
import type { SecondFactor } from "./factors.ts"
import { selectRecoveryCode, spendRecoveryCode } from "./recovery-codes.ts"

/** A second factor, as it is sent. */
export type GivenFactor =
  | { readonly kind: "code"; readonly code: string }
  | { readonly kind: "recoveryCode"; readonly code: string }
  | ({ readonly kind: "passkey" } & GivenPasskey)

/** A factor that was right, and the statements that use it up: for the batch of what it was shown for. */
export interface Proof {
  readonly method: SecondFactor
  readonly writes: readonly Sql[]
}

/** What `prove` has to know, as one statement for the trip before. */
export function selectForProof(app: App, user: string, given: GivenFactor): Sql {
  switch (given.kind) {
    case "code":
      return selectAuthenticators(user)
    case "recoveryCode":
      return selectRecoveryCode(app, user, given.code)
    case "passkey":
      return selectPasskey(given.assertion.id)
  }
}

/** No trip. @throws {Problem} `code_invalid` when it is wrong, or another's */
export async function prove(
  app: App,
  user: string,
  given: GivenFactor,
  rows: readonly Row[],
): Promise<Proof> {
  const proof = await proofOf(app, user, given, rows)
  if (!proof) throw codeRefused()
  return proof
}

async function proofOf(
  app: App,
  user: string,
  given: GivenFactor,
  [...rows]: readonly Row[],
): Promise<Proof | null> {
  switch (given.kind) {
    case "code": {
      const writes = await matchingCode(app, user, rows, given.code)
      return writes && { method: "otp", writes }
    }
    case "recoveryCode": {
      const hash = rows[0]?.hash as string | undefined
      if (hash === undefined) return null
      return { method: "rcv", writes: spendRecoveryCode(app, user, hash) }
    }
    case "passkey": {
      if (rows[0]?.user !== user) return null
      // Beside another factor it is enough that it is there, if it was registered for that.
      const writes = await verifyAssertion(app, rows[0], given, rows[0].secondFactor !== 1)
      return writes && { method: "hwk", writes }
    }
  }
}

export const codeRefused = (): Problem => new Problem("code_invalid")
