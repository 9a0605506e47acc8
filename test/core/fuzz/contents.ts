import { env } from "cloudflare:workers"
import { joinTableOf, searchTableOf } from "../../../src/core/records/columns.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { fixtures } from "../../support/collections.ts"

/** Those that have a table: views are made of these. */
const collections = [...linkCollections(fixtures).values()].filter(
  ({ sqlView }) => sqlView === null,
)

const joinTables = collections.flatMap((collection) =>
  [...collection.fields.values()]
    .filter(({ kind }) => kind === "relations")
    .map((field) => joinTableOf(collection.name, field.name)),
)
export const searchTables = collections
  .filter(({ searchFields }) => searchFields.length > 0)
  .map(({ name }) => searchTableOf(name))

const counts = [
  ...collections.map(({ name }) => [name, `count(*) || ':' || ifnull(sum(version), 0)`]),
  ...joinTables.map((name) => [name, `count(*) || ':' || ifnull(sum(position), 0)`]),
  ...searchTables.map((name) => [`${name}_docsize`, "count(*)"]),
  ["changes", "max(seq) || ':' || count(*)"],
  ["idempotency_keys", "count(*)"],
  ["refusals", "count(*)"],
  ["mails", "count(*)"],
  ["files", "count(*) || ':' || sum(state = 'stored')"],
  ["file_usage", "sum(bytes) || ':' || sum(files)"],
  ["account_tokens", "count(*)"],
  ["audit_events", "count(*)"],
  ["mail_suppressions", "count(*)"],
  ["organisations", "count(*) || ':' || ifnull(sum(version), 0)"],
  ["organisation_members", "count(*) || ':' || ifnull(sum(length(roles)), 0)"],
  ["invitations", "count(*) || ':' || count(revokedAt) || ':' || count(acceptedAt)"],
  ["user_invitations", "count(*)"],
  // Whose session a run has ended signs in again, by intent.
  ["audit_events", "sum(kind <> 'session.created')"],
  ["authenticators", "count(*) || ':' || ifnull(sum(lastStep), 0)"],
  ["passkeys", "count(*)"],
  ["recovery_codes", "count(*)"],
  ["account_tokens", "count(*)"],
  ["users", "count(*) || ':' || sum(version) || ':' || sum(epoch)"],
] as const

const statement = `SELECT ${counts.map(([table, count]) => `(SELECT ${count} FROM "${table}") AS "${table}"`).join(", ")}`

/** How much there is of everything that a write leaves behind: rows, versions, links, search entries, lines of the log. */
export async function contents(): Promise<Record<string, unknown>> {
  return (await env.DB.prepare(statement).first<Record<string, unknown>>()) ?? {}
}

/** What would be wrong if something had been written by half, although its count is right. */
export async function inconsistencies(): Promise<unknown[]> {
  const found: unknown[] = []
  for (const { name, builtIn, fields, summaries } of collections) {
    for (const { table } of summaries) {
      const apart = await env.DB.prepare(
        `SELECT (SELECT ifnull(sum("rows"), 0) FROM "${table}") AS kept, (SELECT count(*) FROM "${name}") AS there`,
      ).first<{ kept: number; there: number }>()
      if (apart?.kept !== apart?.there) found.push({ table, apart })
    }
    const unlogged = await env.DB.prepare(
      `SELECT id, version FROM "${name}" t WHERE NOT EXISTS (SELECT 1 FROM changes c WHERE c.subject = ?1 AND c.record = t.id AND c.version = t.version)`,
    )
      .bind(name)
      .all()
    if (!builtIn) found.push(...unlogged.results.map((row) => ({ name, unlogged: row })))
    for (const { name: field, rollup } of fields.values()) {
      if (rollup?.measure !== "count") continue
      const wrong = await env.DB.prepare(
        `SELECT id, "${field}" FROM "${name}" t WHERE "${field}" <> (SELECT count(*) FROM "${rollup.child.name}" c WHERE c."${rollup.backField}" = t.id)`,
      ).all()
      found.push(...wrong.results.map((row) => ({ name, rollup: row })))
    }
  }
  for (const table of searchTables) {
    await env.DB.prepare(
      `INSERT INTO "${table}" ("${table}", rank) VALUES ('integrity-check', 1)`,
    ).run()
  }
  const dangling = await env.DB.prepare("PRAGMA foreign_key_check").all()
  return [...found, ...dangling.results]
}
