import { type App, administratorRole } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { insertMails } from "../mail/enqueue.ts"
import { accessTokenSeconds } from "./access-tokens.ts"
import { tellPerson, wakeMail } from "./mails.ts"
import type { Person } from "./person.ts"

/**
 * Tells databases that the session's access tokens are void, until the last of them has expired. All of its person's, since
 * a session can be switched between organisations; and always `main`, where tokens lead once a person has left them.
 */
export async function outlaw(
  app: App,
  session: string,
  databases: Iterable<string>,
): Promise<void> {
  const now = app.now()
  for (const name of new Set(["main", ...databases])) {
    await app
      .on(name)
      .db.batch([
        sql`DELETE FROM session_revocations WHERE session IN (SELECT session FROM session_revocations WHERE expiresAt <= ${iso(now)} LIMIT 20)`,
        sql`INSERT INTO session_revocations (session, expiresAt) VALUES (${session}, ${iso(now + accessTokenSeconds * 1000)}) ON CONFLICT (session) DO NOTHING`,
      ])
  }
}

/** A trip of its own, and only then: that it was stolen is known when the batch is over. The anonymous have no address. */
export async function tellOfTheft(app: App, person: Person): Promise<void> {
  if (person.kind !== "person") return
  await app.directory.batch(insertMails(app, [tellPerson(app, person, "sessionStolen")]))
  wakeMail(app)
}

/** Whoever may no longer administer may no longer act in another's name. For the batch that takes it away. */
export const endImpersonationsBy = (app: App, administrator: string): Sql[] => [
  sql`UPDATE sessions SET revokedAt = ${iso(app.now())} WHERE impersonator = ${administrator} AND revokedAt IS NULL`,
]

/** Nobody acts in the name of administrators: also not on from before somebody became one. Their new epoch voids the tokens. */
export const endImpersonationsOf = (app: App, user: string): Sql =>
  sql`UPDATE sessions SET revokedAt = ${iso(app.now())} WHERE user = ${user} AND impersonator IS NOT NULL AND revokedAt IS NULL`

/**
 * After that batch: the access tokens of those sessions are void, too, wherever they may lead. Their epoch is that of the
 * person in whose name somebody acted, so nothing else says it. One trip, and one for each session and database.
 */
export async function outlawImpersonationsBy(app: App, administrator: string): Promise<void> {
  const living = iso(app.now() - accessTokenSeconds * 1000)
  const rows = await app.directory.all(
    sql`SELECT s.id, o.database FROM sessions s LEFT JOIN organisation_members m ON m.user = s.user LEFT JOIN organisations o ON o.id = m.organisation WHERE s.impersonator = ${administrator} AND s.revokedAt > ${living}`,
  )
  for (const [session, found] of Map.groupBy(rows, ({ id }) => id as string)) {
    const databases = found.flatMap(({ database }) =>
      database === null ? [] : [database as string],
    )
    await outlaw(app, session, databases)
  }
}

/** The same after the sessions of a person have ended, which costs a trip only those who could act in another's name. */
export async function endActing(app: App, { id, roles }: Person): Promise<void> {
  if (roles.includes(administratorRole)) await outlawImpersonationsBy(app, id)
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString()
