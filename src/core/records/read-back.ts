import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { raw, type Sql, sql } from "../../platform/sql.ts"
import type { Draft, Written } from "./draft.ts"
import { freshRecord } from "./fresh.ts"
import type { LinkedCollection } from "./link.ts"
import { recordQuery } from "./list.ts"
import type { Operation } from "./operations.ts"
import { decodeRow, select } from "./selection.ts"
import type { View } from "./view.ts"

/* What a batch tells of its own writes, asked right after each of them. */

/** How the answer to a draft comes out of the batch's results; what it has to read joins the statements. */
export function answerOf(
  app: App,
  view: View,
  draft: Draft,
  alone: Operation | undefined,
  statements: Sql[],
): (results: Row[][]) => Written {
  const { id } = draft
  if (draft.action === "delete") {
    return () => ({ id, created: false, record: null, version: null })
  }
  const selection = select(view, draft.collection, { fields: null, expand: [] })
  const fresh =
    alone?.action === "create" && alone.records[0] && !alone.chosenIds
      ? freshRecord(app, view, selection, alone.records[0])
      : undefined
  if (fresh !== undefined) {
    return () => ({ id, created: true, record: fresh, version: fresh ? 1 : null })
  }
  const at = statements.length
  statements.push(recordQuery(view, draft.collection, id, selection))
  if (draft.action === "put") statements.push(createdQuery(app, draft))
  return (results) => {
    const row = results[at]?.[0]
    return {
      id,
      created:
        draft.action === "create" || (draft.action === "put" && results[at + 1]?.length === 1),
      record: row ? decodeRow(view, selection, row) : null,
      version: (row?.version as number | undefined) ?? null,
    }
  }
}

/** The status of the answer to a draft, as SQL, right after it was written. */
export function statusOf(app: App, draft: Draft): Sql {
  if (draft.action === "put") return sql`iif(EXISTS (${createdQuery(app, draft)}), 201, 200)`
  return raw({ create: "201", update: "200", delete: "204" }[draft.action])
}

/** Whether this very request has changed the record: a patch may change nothing, and then nothing follows. */
export const changed = (app: App, { action, collection, id }: Draft): Sql =>
  action === "create" || action === "delete"
    ? raw("true")
    : sql`EXISTS (${changeQuery(app, collection, id)})`

/** A row when this very request wrote the record as it now stands. */
const changeQuery = (app: App, { name }: LinkedCollection, id: string): Sql =>
  sql`SELECT 1 FROM changes c JOIN ${raw(`"${name}"`)} t ON t."id" = c.record AND t."version" = c.version WHERE c.subject = ${name} AND c.record = ${id} AND c.requestId = ${app.requestId}`

/** A row when the PUT of this very request created the record, and did not replace it. */
const createdQuery = (app: App, { collection, id }: Draft): Sql =>
  sql`${changeQuery(app, collection, id)} AND c.kind = 'created'`

/**
 * True for a PUT that found the very version which an earlier write of the same list had made: it has created nothing.
 * What its writer may not read has no version to tell by.
 */
export const madeBefore = (
  subjects: readonly LinkedCollection[],
  written: readonly Pick<Written, "id" | "version">[],
  at: number,
): boolean =>
  written
    .slice(0, at)
    .some(
      ({ id, version }, before) =>
        version !== null &&
        version === written[at]?.version &&
        id === written[at]?.id &&
        subjects[before] === subjects[at],
    )
