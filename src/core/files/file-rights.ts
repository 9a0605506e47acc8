import { type Actor, type App, anonymous, type UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { identifier, literal, raw, type Sql, sql } from "../../platform/sql.ts"
import { type Action, grants } from "../identity/key-scopes.ts"
import { joinTableOf } from "../records/columns.ts"
import { type FileHolder, fileHolders } from "../records/file-records.ts"
import type { LinkedCollections } from "../records/link.ts"
import { visibility } from "../records/selection.ts"
import { mainAlias, mainSource, type View, viewFor } from "../records/view.ts"

/*
 * Who may do what to files. Each is its owner's, in the organisation in which it was sent; a key does what its scopes for
 * `files` say. Beside the owner it is read by whoever may read a record that holds it, and in it the field: by the rules of
 * that collection, with its passes and scopes. Administrators have no other way, because no log of changes would show it.
 */

/**
 * Somebody with an account, who may have files.
 *
 * @throws {Problem} `unauthenticated`; `account_required` for an anonymous session, whose quota would be nobody's; `forbidden`
 * or, for what is read, `not_found` beyond the scopes of a key
 */
export function assertMayHaveFiles(actor: Actor, action: Action): UserActor {
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  if (actor.anonymous) throw new Problem("account_required")
  if (actor.key && !grants(actor.key.scopes, "files", action)) {
    throw action === "read"
      ? new Problem("not_found")
      : new Problem("forbidden", "This API key may not do this.")
  }
  return actor
}

/**
 * One statement for each field that may hold the file: a row with the `collection` and `id` of a record through which the
 * actor may read it. `open` is 1 where anybody may, whoever comes, whatever the record is and whenever.
 */
export function holdingRecords(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  id: string,
): Sql[] {
  const view = viewFor(app, actor, collections)
  const stranger = viewFor(app, anonymous, collections)
  return fileHolders(collections.values())
    .filter(({ collection, field }) => view.readRule(collection) && view.fieldRule(field))
    .map(({ collection, field }) => {
      const readable = sql`${visibility(view, collection, mainAlias, true)} AND ${view.compile(view.fieldRule(field), mainSource, { oneRow: true })}`
      const open = raw(isOpen(stranger, { collection, field }) ? "1" : "0")
      return sql`SELECT ${raw(literal(collection.name))} AS collection, ${raw(mainAlias)}."id" AS id, ${open} AS open FROM ${identifier(collection.name)} ${raw(mainAlias)} WHERE ${holds({ collection, field }, id)} AND ${readable} LIMIT 1`
    })
}

function holds({ collection, field }: FileHolder, id: string): Sql {
  if (field.kind === "relation") return sql`${mainSource.column(field.name)} = ${id}`
  const joinTable = identifier(joinTableOf(collection.name, field.name))
  return sql`${mainSource.column("id")} IN (SELECT "source" FROM ${joinTable} WHERE "target" = ${id})`
}

/** What depends on the clock is true only for now. */
const isOpen = (stranger: View, { collection, field }: FileHolder): boolean =>
  !collection.scoped &&
  stranger.readRule(collection) === true &&
  stranger.fieldRule(field) === true &&
  !stranger.clockAsked()
