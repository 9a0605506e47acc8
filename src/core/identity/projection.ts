import type { Actor, App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { appendChanges } from "../changes/append.ts"
import type { Person } from "./person.ts"

/*
 * People in the databases of records: `members` and `member_organisations`, a copy of what collections may know of them.
 * It follows the directory: first the directory, then each database. Where both are one database they are one batch;
 * where they are two, a crash between leaves the copy behind, and the person's next sign-in or refresh brings it up.
 */

/**
 * Writes to the directory, and with or after them what the projection needs. Answers the rows of `writes`.
 *
 * @param person as it is after `writes`, with all memberships
 * @param databases where the projection is brought up; all of the person's by default
 */
export const commitPerson = (
  app: App,
  actor: Actor,
  writes: readonly Sql[],
  person: Person,
  databases: Iterable<string> = databasesOf(person),
): Promise<Row[][]> => commitPeople(app, actor, writes, [{ person, databases }])

/** A person as they will be, and where the projection is to follow. */
export interface Projected {
  readonly person: Person
  readonly databases: Iterable<string>
}

/** The same for several people, whom one batch changes. */
export async function commitPeople(
  app: App,
  actor: Actor,
  writes: readonly Sql[],
  people: readonly Projected[],
): Promise<Row[][]> {
  const together: Sql[] = []
  const apart: (() => Promise<Row[][]>)[] = []
  for (const { person, databases } of people) {
    for (const name of databases) {
      const { db } = app.on(name)
      const projection = projectionOf(app, actor, person, name)
      if (db === app.directory) together.push(...projection)
      else apart.push(() => db.batch(projection))
    }
  }
  const statements = [...writes, ...together]
  const rows = statements.length ? await app.directory.batch(statements) : []
  for (const write of apart) await write()
  return rows.slice(0, writes.length)
}

/** `main`, where everybody is known, and the databases of the person's organisations. */
export const databasesOf = (person: Person): Set<string> =>
  new Set(["main", ...person.memberships.map((membership) => membership.database)])

/**
 * Statements that bring one database up to `person`, with a log line; they write nothing when it is there already, or
 * further. Versions are the directory's, so a late writer never overwrites a newer one.
 */
function projectionOf(app: App, actor: Actor, person: Person, database: string): Sql[] {
  const { id, version } = person
  const row = {
    id,
    version,
    createdAt: person.createdAt,
    updatedAt: person.updatedAt,
    createdBy: null,
    updatedBy: null,
    name: person.name,
    roles: JSON.stringify(person.roles),
    epoch: person.epoch,
  }
  const change = { subject: "members", authority: "system", organisation: null } as const
  const line = sql`SELECT ${id} AS record, ${version} AS version, ${JSON.stringify(row)} AS payload`
  const memberships = person.memberships
    // `main` knows of them all: who is in no organisation sees only people who are in none, wherever its records lie.
    .filter((membership) => database === "main" || membership.database === database)
    .map(({ organisation, roles }) => ({ organisation, roles: JSON.stringify(roles) }))
  const listed = JSON.stringify(memberships)
  // A database whose members were lost, but not its log, has the line of this version already.
  const unwritten = sql`NOT EXISTS (SELECT 1 FROM changes WHERE subject = 'members' AND record = ${id} AND version = ${version})`
  const current = sql`EXISTS (SELECT 1 FROM members WHERE id = ${id} AND version = ${version})`
  return [
    // The lines come first: they compare with the row that the next statement replaces.
    appendChanges(
      app,
      actor,
      { ...change, kind: "created" },
      sql`${line} WHERE NOT EXISTS (SELECT 1 FROM members WHERE id = ${id}) AND ${unwritten}`,
    ),
    appendChanges(
      app,
      actor,
      { ...change, kind: "updated" },
      sql`${line} FROM members WHERE id = ${id} AND version < ${version} AND ${unwritten}`,
    ),
    sql`INSERT INTO members (id, version, createdAt, updatedAt, createdBy, updatedBy, name, roles, epoch)
VALUES (${row.id}, ${row.version}, ${row.createdAt}, ${row.updatedAt}, NULL, NULL, ${row.name}, ${row.roles}, ${row.epoch})
ON CONFLICT (id) DO UPDATE SET version = excluded.version, updatedAt = excluded.updatedAt, name = excluded.name, roles = excluded.roles, epoch = excluded.epoch
WHERE version < excluded.version`,
    sql`INSERT INTO member_organisations (organisation, member, roles)
SELECT value ->> 'organisation', ${id}, value ->> 'roles' FROM json_each(${listed}) WHERE ${current}
ON CONFLICT (organisation, member) DO UPDATE SET roles = excluded.roles WHERE member_organisations.roles <> excluded.roles`,
    sql`DELETE FROM member_organisations WHERE member = ${id} AND ${current}
AND organisation NOT IN (SELECT value ->> 'organisation' FROM json_each(${listed}))`,
  ]
}
