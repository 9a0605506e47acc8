import type { App } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import type { Caller } from "./caller.ts"
import { refuse } from "./directory-guard.ts"
import { normaliseEmail } from "./email.ts"
import { insertIdentity } from "./linked-identities.ts"
import { type Person, personOf, selectMemberships, selectPerson, type User } from "./person.ts"
import { codeRefused } from "./proofs.ts"
import type { ProvedIdentity } from "./proved-identity.ts"
import { completeSignIn, type Tokens } from "./sessions.ts"
import { createUser } from "./users.ts"

interface Entering {
  readonly caller: Caller
  /** Language of mails, where an account is made. */
  readonly locale: string | null
  /** Uses up what led here; may refuse as `used`. */
  readonly spent: readonly Sql[]
}

/**
 * A session for whoever a provider has proved somebody to be. A new identity with a verified address that nobody has gets
 * an account; where somebody has it, they link it themselves: who reads a mailbox today need not be who made the account,
 * and a provider is not our keeper of addresses. Two trips, three with a new account.
 *
 * @throws {Problem} `identity_not_linked` for an address with an account; `email_unverified`; `code_invalid` when the way
 * here was used before; as `completeSignIn`
 */
export async function signInWithIdentity(
  app: App,
  identity: ProvedIdentity,
  entering: Entering,
): Promise<Tokens & { user: User }> {
  try {
    const known = await findLinked(app, identity)
    if (known.linked) return await enter(app, known.linked, entering)
    const { verifiedEmail: email } = identity
    if (email === null) {
      throw new Problem("email_unverified", "The provider does not say that your address is yours.")
    }
    if (known.taken) throw new Problem("identity_not_linked")
    const person = await createAccount(app, identity, email, entering)
    if (person) return await completeSignIn(app, { person, methods, caller: entering.caller })
    // Somebody was faster, perhaps themselves in another tab.
    const { linked } = await findLinked(app, identity)
    if (!linked) throw new Problem("identity_not_linked")
    return await enter(app, linked, entering)
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "used") throw codeRefused()
    if (error instanceof Problem && error.code !== "second_factor_required") {
      app.count("signIns", { outcome: "failed" })
    }
    throw error
  }
}

const methods = ["fed"]

interface Linked {
  readonly id: string
  readonly person: Person
}

/** Whose identity it is, and whether somebody has its address. */
async function findLinked(
  app: App,
  { issuer, subject, verifiedEmail }: ProvedIdentity,
): Promise<{ linked: Linked | null; taken: boolean }> {
  const own = sql`FROM identities WHERE issuer = ${issuer} AND subject = ${subject}`
  const user = sql`(SELECT user ${own})`
  const [identities = [], found = [], memberships = [], others = []] = await app.directory.batch([
    sql`SELECT id ${own}`,
    selectPerson(sql`id = ${user}`),
    selectMemberships(user),
    sql`SELECT 1 FROM users WHERE emailNormalised = ${normaliseEmail(verifiedEmail ?? "")}`,
  ])
  const [id, row] = [identities[0]?.id as string | undefined, found[0]]
  return {
    linked: id !== undefined && row ? { id, person: personOf(row, memberships) } : null,
    taken: others.length > 0,
  }
}

async function enter(
  app: App,
  { id, person }: Linked,
  { caller, spent }: Entering,
): Promise<Tokens & { user: User }> {
  if (app.settings.requireVerifiedEmail && person.emailVerifiedAt === null) {
    throw new Problem("email_unverified")
  }
  const used = [
    ...spent,
    // It was unlinked in the meantime.
    refuse(
      "used",
      sql`NOT EXISTS (SELECT 1 FROM identities WHERE id = ${id} AND user = ${person.id})`,
    ),
    sql`UPDATE identities SET lastUsedAt = ${new Date(app.now()).toISOString()} WHERE id = ${id}`,
  ]
  if (person.secondFactors.length === 0 || person.disabledAt !== null) {
    return completeSignIn(app, { person, methods, caller, writes: used })
  }
  // What follows is a challenge, and no session that could use up what led here.
  await app.directory.batch(used)
  return completeSignIn(app, { person, methods, caller })
}

/** Null when the address or the identity has got an account in the meantime. */
async function createAccount(
  app: App,
  identity: ProvedIdentity,
  email: string,
  { caller, locale, spent }: Entering,
): Promise<Person | null> {
  const draft = { email, emailVerified: true, passwordHash: null, name: identity.name, locale }
  let made: Person | null = null
  try {
    await createUser(app, { ...draft, caller }, (person) => {
      made = person
      return [...spent, ...insertIdentity(app, identity, { user: person.id, email, caller }).writes]
    })
  } catch (error) {
    if (error instanceof Problem && error.code === "conflict") return null
    throw error
  }
  return made
}
