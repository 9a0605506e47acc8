import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Page, pageOf } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { normaliseAddress } from "./address.ts"

export const suppressionReasons = ["bounce", "complaint", "unsubscribed", "administrator"] as const

/*
 * Whom no mail is sent to. One list for the deployment, in `main`, whichever database a mail is in: who complains of one
 * mail complains of its sender.
 */

export interface Suppression {
  readonly id: string
  readonly address: string
  /** Null for no mail at all. */
  readonly list: string | null
  readonly reason: (typeof suppressionReasons)[number]
  readonly detail: string | null
  readonly createdAt: string
}

type NewSuppression = Omit<Suppression, "id" | "createdAt">

const home = (app: App) => app.on("main").db

/** Puts it on the list; one that is there already stays as it is, and is answered. */
export async function suppress(app: App, suppression: NewSuppression): Promise<Suppression> {
  const { reason, detail, list } = suppression
  const address = normaliseAddress(suppression.address)
  const at = new Date(app.now()).toISOString()
  const [, rows] = await home(app).batch([
    sql`INSERT INTO mail_suppressions (id, address, list, reason, detail, createdAt)
VALUES (${app.newId()}, ${address}, ${list ?? ""}, ${reason}, ${detail?.slice(0, 300) ?? null}, ${at}) ON CONFLICT (address, list) DO NOTHING`,
    sql`${selectSuppressions} WHERE address = ${address} AND list = ${list ?? ""}`,
  ])
  return rows?.[0] as unknown as Suppression
}

/** Why this address gets no mail of that list (null: no mail at all), or null when it does. */
export async function findSuppression(
  app: App,
  address: string,
  list: string | null,
): Promise<Suppression | null> {
  const rows = await home(app).all(
    sql`${selectSuppressions} WHERE address = ${normaliseAddress(address)} AND list IN ('', ${list ?? ""}) LIMIT 1`,
  )
  return (rows[0] as unknown as Suppression | undefined) ?? null
}

interface SuppressionQuery {
  readonly limit: number
  readonly cursor: string | null
  readonly address: string | null
}

/** The newest first. */
export async function listSuppressions(
  app: App,
  { limit, cursor, address }: SuppressionQuery,
): Promise<Page<Suppression>> {
  const of: Sql = address === null ? sql`1` : sql`address = ${normaliseAddress(address)}`
  const rows: Row[] = await home(app).all(
    sql`${selectSuppressions} WHERE ${of} AND id < ${cursor ?? "g"} ORDER BY id DESC LIMIT CAST(${limit + 1} AS INTEGER)`,
  )
  return pageOf(rows as unknown as Suppression[], limit)
}

/** Takes one off the list. @throws {Problem} `not_found` */
export async function unsuppress(app: App, id: string): Promise<void> {
  const rows = await home(app).all(sql`DELETE FROM mail_suppressions WHERE id = ${id} RETURNING id`)
  if (rows.length === 0) throw new Problem("not_found")
}

/**
 * Forgets that the owner of an address unsubscribed from a list before that moment: what came after it is newer than
 * their asking for the list, and stands, however often and late this is called. Nothing else is lifted.
 */
export async function liftUnsubscription(
  app: App,
  address: string,
  list: string,
  at: string,
): Promise<void> {
  await home(app).all(
    sql`DELETE FROM mail_suppressions WHERE address = ${normaliseAddress(address)} AND list = ${list} AND reason = 'unsubscribed' AND createdAt < ${at}`,
  )
}

const selectSuppressions = sql`SELECT id, address, nullif(list, '') AS list, reason, detail, createdAt FROM mail_suppressions`
