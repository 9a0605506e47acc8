import { existsSync } from "node:fs"
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import initialize from "@phi-ag/argon2/node"
import { hashPassword } from "../core/identity/passwords.ts"
import { emailAddress } from "../core/identity/schema.ts"
import { createFirstAdministrator } from "../core/identity/users.ts"
import type { App } from "../platform/app.ts"
import { sql } from "../platform/sql.ts"
import { generatePassword } from "./secrets.ts"

/** The administrator as the developer is told of them. */
export interface Administrator {
  email: string
  /** Null when someone else chose it in an earlier run. */
  password: string | null
  /** Made by this run. */
  made: boolean
}

/** What the developer wants, by ADMIN_EMAIL and ADMIN_PASSWORD; null for a name and password of our choice. */
export interface Login {
  email: string
  password: string
}

/** @throws {Error} when only one of the two variables is set, or the address is one that nobody could sign in with. */
export function wantedAdministrator(variables: Record<string, string | undefined>): Login | null {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = variables
  if (!email && !password) return null
  if (!email || !password) {
    throw new Error("Set both ADMIN_EMAIL and ADMIN_PASSWORD, or neither of them.")
  }
  if (!emailAddress.safeParse(email).success) {
    throw new Error(`ADMIN_EMAIL is "${email}", which is not an e-mail address.`)
  }
  return { email: email.trim(), password }
}

/**
 * The first administrator, made when there is none. A password of our choice is kept beside the development secrets, so
 * that every start can show it; one that the developer chose is not.
 */
export async function ensureAdministrator(
  app: App,
  stateDirectory: string,
  wanted: Login | null,
): Promise<Administrator> {
  const file = join(stateDirectory, "administrator.json")
  const [present] = await app.directory.all(
    sql`SELECT email FROM users WHERE instr(roles, '"administrator"') > 0 ORDER BY id LIMIT 1`,
  )
  if (present) {
    const kept = existsSync(file) ? (JSON.parse(await readFile(file, "utf8")) as Login) : null
    const email = present.email as string
    return { email, password: kept?.email === email ? kept.password : null, made: false }
  }
  const login = wanted ?? { email: "admin@example.com", password: generatePassword() }
  // Kept before it is made: an administrator whose password nobody knows would be of no use.
  if (wanted) await rm(file, { force: true })
  else await writeFile(file, JSON.stringify(login), { mode: 0o600 })
  const passwordHash = hashPassword(await initialize(), login.password)
  await createFirstAdministrator(app, { email: login.email, passwordHash, name: "Administrator" })
  return { ...login, made: true }
}
