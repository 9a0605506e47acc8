import { Buffer } from "node:buffer"
import { createHmac, randomInt, timingSafeEqual } from "node:crypto"
import type { App } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { newMail } from "../mail/new-mail.ts"
import { accountLink } from "./account-links.ts"
import {
  insertToken,
  newAccountToken,
  selectToken,
  spendToken,
  type TokenPurpose,
  tokenHash,
  voidTokens,
} from "./account-tokens.ts"
import { assertUnlocked, attemptKeys, forgiveAttempt, reserveAttempt } from "./attempts.ts"
import type { Caller } from "./caller.ts"
import { normaliseEmail } from "./email.ts"
import { findMailable } from "./mail-request.ts"
import { signInCode, wakeMail } from "./mails.ts"
import { type Person, personOf, selectMemberships, selectPerson, type User } from "./person.ts"
import { endSessionsOf } from "./person-update.ts"
import { completeSignIn, type Tokens } from "./sessions.ts"
import { expelStrangers } from "./unverified-account.ts"

/** So often is a code compared, right or wrong; five of a million. */
export const codeTries = 5

/**
 * Mails a code of six digits and a link, of which one can be used, for ten minutes; a former code is void. Two trips and
 * the same statements for addresses without an account.
 *
 * @throws {Problem} `rate_limited` with `Retry-After`
 */
export async function requestMailCode(app: App, email: string, caller: Caller): Promise<void> {
  const person = await findMailable(app, "mail-code", email, caller)
  const user = person?.id ?? null
  const code = String(randomInt(1_000_000)).padStart(6, "0")
  const link = newAccountToken()
  const mail = newMail(
    signInCode,
    { user: user ?? "" },
    { code, url: accountLink(app.settings, "sessions", link.text) },
    { cause: `sign-in-code/${app.newId()}`, locale: person?.locale ?? null },
  )
  // Nobody's code is random, so that it never stands in the way of another of nobody's.
  const hash = user === null ? newAccountToken().hash : codeHash(app, user, code)
  await app.directory.batch([
    voidTokens(user ?? "", ["mail_code", "mail_link"]),
    ...insertToken(app, { hash, purpose: "mail_code", user }),
    ...insertToken(app, { hash: link.hash, purpose: "mail_link", user }),
    ...insertMails(app, person ? [mail] : []),
  ])
  wakeMail(app)
}

/** Bound to the person and the deployment: a table of a million hashes would otherwise give every code away. */
const codeHash = (app: App, user: string, code: string): string =>
  createHmac("sha256", app.settings.secret).update(`mail-code\n${user}\n${code}`).digest("hex")

/**
 * A session for whoever types the code that was mailed. Each try is counted before it is looked at, for the code, the
 * account and the network address, so that guesses at once get no further than guesses in a row. Two trips.
 *
 * @throws {Problem} `code_invalid`, alike for accounts that do not exist; `locked`, `rate_limited`; `account_disabled`
 */
export async function signInByCode(
  app: App,
  credentials: { email: string; code: string },
  caller: Caller,
): Promise<Tokens & { user: User }> {
  const email = normaliseEmail(credentials.email)
  const keys = attemptKeys(app.settings.secret, email, caller.address)
  const user = sql`(SELECT id FROM users WHERE emailNormalised = ${email})`
  const at = new Date(app.now()).toISOString()
  const rows = await app.directory.batch([
    ...reserveAttempt(keys, app.now()),
    sql`UPDATE account_tokens SET attempts = attempts + 1 WHERE user = ${user} AND purpose = 'mail_code' AND expiresAt > ${at} AND attempts < ${codeTries} RETURNING hash`,
    selectPerson(sql`id = ${user}`),
    selectMemberships(user),
  ])
  const [counts, codes, found, memberships] = rows.slice(-4) as [Row[], Row[], Row[], Row[]]
  assertUnlocked(counts, keys, app.now())
  const row = found[0]
  const hash = codeHash(app, (row?.id as string | undefined) ?? "", credentials.code)
  const expected = (codes[0]?.hash as string | undefined) ?? "0".repeat(64)
  const right = timingSafeEqual(Buffer.from(hash), Buffer.from(expected))
  if (!right || !row) {
    app.count("signIns", { outcome: "failed" })
    throw new Problem("code_invalid")
  }
  return open(app, personOf(row, memberships), { hash, purpose: "mail_code" }, caller, [
    ...forgiveAttempt(keys),
  ])
}

/**
 * A session for whoever holds the link. Two trips.
 *
 * @throws {Problem} `code_invalid`; `account_disabled`
 */
export async function signInByLink(
  app: App,
  token: string,
  caller: Caller,
): Promise<Tokens & { user: User }> {
  const hash = tokenHash(token)
  const user = sql`(SELECT user FROM account_tokens WHERE hash = ${hash})`
  const [tokens, found, memberships = []] = await app.directory.batch([
    selectToken(app, hash, "mail_link"),
    selectPerson(sql`id = ${user}`),
    selectMemberships(user),
  ])
  if (!tokens?.[0] || !found?.[0]) {
    app.count("signIns", { outcome: "failed" })
    throw new Problem("code_invalid")
  }
  return open(app, personOf(found[0], memberships), { hash, purpose: "mail_link" }, caller, [])
}

/** Code and link go together: whichever is used, the other is void. */
async function open(
  app: App,
  person: Person,
  { hash, purpose }: { hash: string; purpose: TokenPurpose },
  caller: Caller,
  writes: readonly Sql[],
): Promise<Tokens & { user: User }> {
  const at = new Date(app.now()).toISOString()
  const first = person.emailVerifiedAt === null
  const spent = [
    ...spendToken(app, hash, purpose),
    // Whoever signed up with this address and could not read its mail is out, with all that would let them in again.
    ...(first
      ? [
          endSessionsOf(app, person.id),
          sql`UPDATE users SET passwordHash = NULL WHERE id = ${person.id}`,
          ...expelStrangers(app, person),
        ]
      : []),
    voidTokens(person.id, ["mail_code", "mail_link"]),
    sql`UPDATE users SET emailVerifiedAt = ${at} WHERE id = ${person.id} AND emailVerifiedAt IS NULL`,
  ]
  const signIn = {
    // Who reads the mail has the address.
    person: {
      ...person,
      emailVerifiedAt: person.emailVerifiedAt ?? at,
      secondFactors: first ? [] : person.secondFactors,
    },
    methods: ["mail"],
    caller,
  }
  try {
    if (signIn.person.secondFactors.length > 0 && person.disabledAt === null) {
      // What follows is a challenge, and no session that could use the token up.
      await app.directory.batch(spent)
      return await completeSignIn(app, signIn)
    }
    return await completeSignIn(app, { ...signIn, writes: [...spent, ...writes] })
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "code_invalid") {
      throw new Problem("code_invalid")
    }
    throw error
  }
}
