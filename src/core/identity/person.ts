import type { Row } from "../../platform/database.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import { parseSecondFactors, type SecondFactor, secondFactorNames } from "./factors.ts"
import { type OrganisationPolicy, storedPolicy } from "./organisation-policy.ts"

/** What leaves the directory about a person, and only towards themselves and administrators. */
export interface User {
  readonly id: string
  /** Null of whoever has no account yet. */
  readonly email: string | null
  readonly name: string | null
  /** Of the deployment; those of an organisation are in its tokens only. */
  readonly roles: readonly string[]
  readonly createdAt: string
  readonly emailVerifiedAt: string | null
}

export interface Membership {
  readonly organisation: string
  /** Name of the database that holds the organisation's records. */
  readonly database: string
  readonly roles: readonly string[]
  readonly policy: OrganisationPolicy
}

/** A person as the directory has them, without the password's hash. */
export interface Person extends Omit<User, "email"> {
  /** Of those who have none, something that no address looks like (tables.ts). */
  readonly email: string
  readonly epoch: number
  readonly version: number
  readonly updatedAt: string
  readonly kind: "person" | "anonymous" | "service"
  readonly disabledAt: string | null
  /** Language of the mails to them. */
  readonly locale: string | null
  /** What can be shown beside a password; empty when nothing has to be. */
  readonly secondFactors: readonly SecondFactor[]
  readonly memberships: readonly Membership[]
}

export const selectPerson = (where: Sql): Sql =>
  sql`SELECT id, email, name, roles, epoch, version, createdAt, updatedAt, kind, emailVerifiedAt, disabledAt, locale, ${secondFactorNames(raw("users.id"))} AS secondFactors FROM users WHERE ${where}`

/** Memberships of the person with the id `user` (SQL), the oldest first. */
export const selectMemberships = (user: Sql): Sql =>
  sql`SELECT m.organisation, m.roles, o.database, o.policy FROM organisation_members m JOIN organisations o ON o.id = m.organisation WHERE m.user = ${user} ORDER BY m.createdAt, m.organisation`

/** From rows of `selectPerson` and `selectMemberships`. */
export const personOf = (row: Row, memberships: readonly Row[]): Person => ({
  id: row.id as string,
  email: row.email as string,
  name: row.name as string | null,
  roles: JSON.parse(row.roles as string) as string[],
  epoch: row.epoch as number,
  version: row.version as number,
  createdAt: row.createdAt as string,
  updatedAt: row.updatedAt as string,
  kind: row.kind as Person["kind"],
  emailVerifiedAt: row.emailVerifiedAt as string | null,
  disabledAt: row.disabledAt as string | null,
  locale: row.locale as string | null,
  secondFactors: parseSecondFactors(row.secondFactors as string),
  memberships: membershipsOf(memberships),
})

/** From rows of `selectMemberships`. */
export const membershipsOf = (rows: readonly Row[]): Membership[] =>
  rows.map((membership) => ({
    organisation: membership.organisation as string,
    database: membership.database as string,
    roles: JSON.parse(membership.roles as string) as string[],
    policy: storedPolicy(membership.policy as string),
  }))

/** Chosen field by field, so that nothing else of a person can slip out. */
export const toUser = (person: Person): User => {
  const { id, name, roles, createdAt, emailVerifiedAt } = person
  const email = person.kind === "anonymous" ? null : person.email
  return { id, email, name, roles, createdAt, emailVerifiedAt }
}
