import { type App, system } from "../../platform/app.ts"
import { Refusal, UniqueViolation } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { selectToken, spendToken, type TokenPurpose, tokenHash } from "./account-tokens.ts"
import { refuseReserved } from "./email-reservations.ts"
import { type Person, personOf, selectMemberships, selectPerson } from "./person.ts"
import { type PersonUpdate, updatedPerson, updatePerson } from "./person-update.ts"
import { commitPerson } from "./projection.ts"

/** What the holder of a token may do with it. */
interface Redemption extends PersonUpdate {
  /** In the same batch, after the person is written. */
  readonly writes?: (after: Person) => readonly Sql[]
}

type Redeem = (person: Person, data: Readonly<Record<string, string>>) => Redemption

/** Another writer between reading and writing is rare; that it comes again and again means something else is wrong. */
const maxTries = 5

/**
 * Does what a mailed token allows, once: two trips. Used, expired, of another purpose, made up, of somebody who is gone:
 * all the same answer. Of two calls at once with one token, one gets through.
 *
 * @throws {Problem} `code_invalid`; `account_disabled`, which only the holder of the mail gets to know
 */
export async function redeemToken(
  app: App,
  text: string,
  purpose: TokenPurpose,
  redeem: Redeem,
): Promise<Person> {
  const hash = tokenHash(text)
  for (let attempt = 1; ; attempt++) {
    const { person, data } = await holderOf(app, hash, purpose)
    const { writes, ...update } = redeem(person, data)
    const after = updatedPerson(app, person, update)
    const statements = [
      ...spendToken(app, hash, purpose),
      ...(update.email === undefined ? [] : [refuseReserved(app, person.id, update.email)]),
      ...updatePerson(person, after, update),
      ...(writes?.(after) ?? []),
    ]
    try {
      await commitPerson(app, system, statements, after)
      return after
    } catch (error) {
      // That somebody else has taken the address meanwhile is nobody's business.
      if (error instanceof UniqueViolation) throw new Problem("code_invalid")
      if (!(error instanceof Refusal)) throw error
      if (error.outcome === "code_invalid" || error.outcome === "taken_address")
        throw new Problem("code_invalid")
      if (error.outcome !== "stale" || attempt === maxTries) throw error
    }
  }
}

async function holderOf(app: App, hash: string, purpose: TokenPurpose) {
  const user = sql`(SELECT user FROM account_tokens WHERE hash = ${hash})`
  const [tokens, found, memberships = []] = await app.directory.batch([
    selectToken(app, hash, purpose),
    selectPerson(sql`id = ${user}`),
    selectMemberships(user),
  ])
  const token = tokens?.[0]
  const row = found?.[0]
  if (!token || !row) throw new Problem("code_invalid")
  const person = personOf(row, memberships)
  if (person.disabledAt !== null) throw new Problem("account_disabled")
  return { person, data: JSON.parse(token.data as string) as Record<string, string> }
}
