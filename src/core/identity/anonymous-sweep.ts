import { type App, system } from "../../platform/app.ts"
import { type Row, UniqueViolation } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { appendChanges } from "../changes/append.ts"
import { schedule } from "../jobs/schedule.ts"
import { forgetInLogs } from "./account-deletion.ts"
import { personOf, selectPerson } from "./person.ts"
import { commitPerson } from "./projection.ts"

/** After the end of their last session nobody can be them again; by then no link that was mailed is good either. */
const lostMilliseconds = 2 * 86_400_000

/** So many at a time: whom a record points at is found by halving, which takes a trip or two each. */
const sweptPeople = 100

/** D1 answers 1,000 queries an invocation; what is left is for the next run. */
const mostTrips = 250

/**
 * Forgets anonymous people who can never come back: their sessions have ended, and there is nothing else to sign in with.
 * Their records stay. So does the bare id of those at whom a record points; everything else of them goes.
 */
export async function sweepAnonymous(app: App): Promise<void> {
  const before = new Date(app.now() - lostMilliseconds).toISOString()
  let after: string | undefined = ""
  while (after !== undefined && app.cost.trips < mostTrips) {
    const rows: Row[] = await app.directory.all(
      sql`${selectPerson(sql`kind = 'anonymous' AND id > ${after} AND createdAt < ${before}
AND NOT EXISTS (SELECT 1 FROM sessions WHERE user = users.id AND coalesce(revokedAt, expiresAt) > ${before})`)} ORDER BY id LIMIT CAST(${sweptPeople} AS INTEGER)`,
    )
    if (rows.length > 0) await forget(app, rows)
    after = rows.length === sweptPeople ? (rows.at(-1)?.id as string) : undefined
  }
}

/** First the projection, then the directory: those who are left between the two after a crash are found again. */
async function forget(app: App, rows: readonly Row[]): Promise<void> {
  const ids = rows.map(({ id }) => id as string)
  await forgetMembers(app, rows)
  await forgetInLogs(app, ids, ["main"])
  const listed = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  await app.directory.batch([
    sql`DELETE FROM account_tokens WHERE user IN ${listed}`,
    sql`DELETE FROM sessions WHERE user IN ${listed}`,
    sql`DELETE FROM users WHERE id IN ${listed} AND kind = 'anonymous'`,
  ])
  app.log("info", "anonymous people forgotten", { people: ids.length })
}

/** Only `main` knows them, because they are in no organisation. */
async function forgetMembers(app: App, rows: readonly Row[]): Promise<void> {
  const ids = JSON.stringify(rows.map(({ id }) => id))
  const members = sql`FROM members WHERE id IN (SELECT value FROM json_each(${ids}))`
  const change = {
    subject: "members",
    kind: "deleted",
    authority: "system",
    organisation: null,
  } as const
  try {
    await app
      .on("main")
      .db.batch([
        appendChanges(
          app,
          system,
          change,
          sql`SELECT id AS record, version + 1 AS version, json_object('id', id, 'version', version, 'createdAt', createdAt, 'updatedAt', updatedAt, 'createdBy', createdBy, 'updatedBy', updatedBy, 'name', NULL, 'roles', roles, 'epoch', epoch) AS payload ${members}`,
        ),
        sql`DELETE ${members}`,
      ])
  } catch (error) {
    // One of them is pointed at, and the foreign key says no more than that.
    if (error instanceof Problem || error instanceof UniqueViolation) throw error
    if (!/FOREIGN KEY/.test(String(error))) throw error
    if (rows.length === 1) return forgetName(app, rows[0] as Row)
    const half = rows.length >> 1
    await forgetMembers(app, rows.slice(0, half))
    await forgetMembers(app, rows.slice(half))
  }
}

async function forgetName(app: App, row: Row): Promise<void> {
  const person = personOf(row, [])
  if (person.name === null) return
  const nameless = { ...person, name: null, version: person.version + 1 }
  await commitPerson(app, system, [], nameless, ["main"])
}

export const anonymousSweep = schedule("identity.sweepAnonymous", {
  cron: "31 */6 * * *",
  priority: "low",
  run: ({ app }) => sweepAnonymous(app),
})
