import type { App, UserActor } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { refuse, sessionRefusal } from "./directory-guard.ts"
import { ownerRole } from "./organisation-roles.ts"
import type { Membership, Person } from "./person.ts"
import { databasesOf } from "./projection.ts"
import { commitPeopleEverywhere } from "./projection-job.ts"

/*
 * The one way in which memberships change: the actor's token still stands, the people are as they were read, then what is
 * written, then their epochs, then the projections. Two trips of the directory with the one that reads.
 */

export interface MembershipChange {
  /** As they were read. */
  readonly person: Person
  /** All of theirs, as they will be. */
  readonly memberships: readonly Membership[]
}

/**
 * Commits `writes` and raises the epoch and version of everyone whose memberships they change.
 *
 * @throws {Refusal} `outdated`, `stale`, or what the guards among `writes` say; for `untilSettled`
 */
export async function commitMemberships(
  app: App,
  actor: UserActor,
  changes: readonly MembershipChange[],
  writes: readonly Sql[],
): Promise<void> {
  const updatedAt = new Date(app.now()).toISOString()
  const people = changes.map(({ person, memberships }) => {
    const { epoch, version } = person
    const after = { ...person, memberships, epoch: epoch + 1, version: version + 1, updatedAt }
    // Where they were known so far, too: a database that they leave has to hear of it.
    return { person: after, databases: new Set([...databasesOf(person), ...databasesOf(after)]) }
  })
  const unchanged = changes.map(({ person: { id, version } }) =>
    refuse(
      "stale",
      sql`NOT EXISTS (SELECT 1 FROM users WHERE id = ${id} AND version = ${version})`,
    ),
  )
  const raised = people.map(
    ({ person: { id, epoch, version } }) =>
      sql`UPDATE users SET epoch = ${epoch}, version = ${version}, updatedAt = ${updatedAt} WHERE id = ${id}`,
  )
  await commitPeopleEverywhere(
    app,
    actor,
    [refuse("outdated", sessionRefusal(actor)), ...unchanged, ...writes, ...raised],
    people,
  )
}

/**
 * Refuses `last_owner` when nobody else owns the organisation. An owner whose account is disabled, or that is a program, is as good as none.
 * For whatever takes the role, the membership or the account of `user`, in the same batch and before it.
 */
export const refuseLastOwner = (organisation: string, user: string): Sql =>
  refuse(
    "last_owner",
    sql`NOT EXISTS (SELECT 1 FROM organisation_members m JOIN users u ON u.id = m.user AND u.kind = 'person' AND u.disabledAt IS NULL
WHERE m.organisation = ${organisation} AND m.user <> ${user} AND instr(m.roles, ${JSON.stringify(ownerRole)}) > 0)`,
  )

/** What the guards of organisations say. */
const refusals: Readonly<Record<string, () => Problem>> = {
  outdated: () => new Problem("token_outdated"),
  last_owner: () =>
    new Problem("conflict", "An organisation needs an owner, and this is the last one."),
  has_records: () =>
    new Problem("conflict", "The organisation still has records: delete them first."),
  has_members: () =>
    new Problem("conflict", "The organisation still has other members: remove them first."),
  too_many: () => new Problem("rate_limited", { headers: { "retry-after": "86400" } }),
  used: () => new Problem("code_invalid"),
}

/** Others may be faster now and then; that they are again and again is for the caller to hear. */
const maxTries = 10

/** Does it, once more whenever someone else changed what it had read, and turns what guards say into problems. */
export async function untilSettled<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let n = 1; ; n++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const problem = refusals[error.outcome]
      if (problem) throw problem()
      if (error.outcome !== "stale") throw error
      if (n === maxTries) throw new Problem("overloaded", { headers: { "retry-after": "1" } })
    }
  }
}
