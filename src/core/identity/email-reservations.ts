import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertToken, tokenHash } from "./account-tokens.ts"
import { refuse } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"

/*
 * An address that was given up is kept for its person while they can undo that. Otherwise a thief would change the address
 * and sign up with the old one, and there would be nothing to come back to.
 */

/** For the batch in which a person gives up this address. */
export const reserveEmail = (app: App, user: string, email: string): Sql[] => [
  releaseEmail(email),
  ...insertToken(app, { hash: hashOf(email), purpose: "email_reservation", user }),
]

/** For the batch in which they have it again. */
export const releaseEmail = (email: string): Sql =>
  sql`DELETE FROM account_tokens WHERE hash = ${hashOf(email)}`

/** Refuses the batch with `taken_address`, when the address is kept for another. */
export const refuseReserved = (app: App, user: string, email: string): Sql =>
  refuse(
    "taken_address",
    sql`EXISTS (SELECT 1 FROM account_tokens WHERE hash = ${hashOf(email)} AND expiresAt > ${new Date(app.now()).toISOString()} AND user <> ${user})`,
  )

const hashOf = (email: string): string => tokenHash(`email-reservation\n${normaliseEmail(email)}`)
