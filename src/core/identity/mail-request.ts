import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import { assertUnlocked, asTooMany, attemptKeys, reserveAttempt } from "./attempts.ts"
import type { Caller } from "./caller.ts"
import { normaliseEmail } from "./email.ts"
import { type Person, personOf, selectPerson } from "./person.ts"

/**
 * The person whom a stranger wants to be mailed, or null, in one trip that also counts the request: so many mails an
 * account and so many a network address, within 15 minutes, exactly, and alike for addresses without an account. Programs,
 * disabled people and those without an address are nobody.
 *
 * @throws {Problem} `rate_limited` with `Retry-After`
 */
export async function findMailable(
  app: App,
  purpose: "password-reset" | "mail-code",
  typed: string,
  caller: Caller,
): Promise<Person | null> {
  const email = normaliseEmail(typed)
  const keys = attemptKeys(app.settings.secret, email, caller.address, purpose)
  const rows = await app.directory.batch([
    ...reserveAttempt(keys, app.now()),
    selectPerson(sql`emailNormalised = ${email} AND kind = 'person' AND disabledAt IS NULL`),
  ])
  assertMailable(() => assertUnlocked(rows.at(-2) ?? [], keys, app.now()))
  const row = rows.at(-1)?.[0]
  return row ? personOf(row, []) : null
}

export const assertMailable = (check: () => void): void =>
  asTooMany("Too many mails were asked for.", check)
