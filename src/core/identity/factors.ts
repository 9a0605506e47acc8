import { type Sql, sql } from "../../platform/sql.ts"

/** How a second factor can be shown, by the names of RFC 8176: a code of an app, a recovery code, a passkey. */
export type SecondFactor = "otp" | "rcv" | "hwk"

/** SQL that is true when the person with the id `user` (SQL) has to show a second factor. */
export const hasSecondFactor = (user: Sql): Sql =>
  sql`(${hasAuthenticator(user)} OR ${hasSecondPasskey(user)})`

const hasAuthenticator = (user: Sql): Sql =>
  sql`EXISTS (SELECT 1 FROM authenticators WHERE user = ${user} AND confirmedAt IS NOT NULL)`

const hasSecondPasskey = (user: Sql): Sql =>
  sql`EXISTS (SELECT 1 FROM passkeys WHERE user = ${user} AND secondFactor = 1)`

/**
 * SQL for a text with the names of the person's second factors, separated by blanks: none, or at least one that is not
 * `rcv`. Recovery codes stand in for a factor; alone they are none. A passkey that signs in alone can be the second
 * factor too, once there is another.
 */
export const secondFactorNames = (user: Sql): Sql =>
  sql`iif(${hasSecondFactor(user)}, trim(iif(${hasAuthenticator(user)}, 'otp ', '')
|| iif(EXISTS (SELECT 1 FROM recovery_codes WHERE user = ${user} AND usedAt IS NULL), 'rcv ', '')
|| iif(EXISTS (SELECT 1 FROM passkeys WHERE user = ${user}), 'hwk', '')), '')`

/** From the text of `secondFactorNames`. */
export const parseSecondFactors = (names: string): SecondFactor[] =>
  names.split(" ").filter(Boolean) as SecondFactor[]
