import type { App } from "../../platform/app.ts"
import type { Checked } from "../expression/checked.ts"
import { evaluateExpression, type World } from "../expression/evaluate.ts"
import type { LinkedCollection } from "./link.ts"
import type { NewRecord } from "./operations.ts"
import { type ApiRecord, isWhole, type Selection } from "./selection.ts"
import { decodeValue } from "./values.ts"
import type { View } from "./view.ts"

/**
 * The answer to a create, without reading back what was just written: the record as its writer may see it, null where it
 * may not. Undefined where only the database can tell: a read rule that follows relations, fields with rights of their
 * own, a rollup over the collection itself (a record may be its own child).
 */
export function freshRecord(
  app: App,
  view: View,
  selection: Selection,
  { id, columns, many }: NewRecord,
): ApiRecord | null | undefined {
  const { collection } = selection
  if (!isWhole(selection) || rollsUpItself(collection)) return undefined
  const at = new Date(app.now()).toISOString()
  const author = view.actor.kind === "user" ? view.actor.id : null
  const record: ApiRecord = {
    id,
    version: 1,
    createdAt: at,
    updatedAt: at,
    createdBy: author,
    updatedBy: author,
  }
  for (const { name, kind, rollup } of collection.fields.values()) {
    if (kind === "backRelation") continue
    if (rollup) record[name] = rollup.measure === "avg" ? null : 0
    else if (kind === "relations") record[name] = many[name] ?? []
    // JSON, on which the value travels to SQLite, knows no negative zero.
    else record[name] = decodeValue(kind, columns[name] === 0 ? 0 : columns[name])
  }
  const readable = mayRead(view, view.readRule(collection), record)
  return readable === undefined ? undefined : readable ? record : null
}

const rollsUpItself = (collection: LinkedCollection): boolean =>
  [...collection.fields.values()].some(({ rollup }) => rollup?.child === collection)

function mayRead(view: View, rule: Checked | boolean, record: ApiRecord): boolean | undefined {
  if (typeof rule === "boolean") return rule
  try {
    return evaluateExpression(rule, record, { context: view.context, world: elsewhere })
  } catch (error) {
    if (error === otherRecords) return undefined
    throw error
  }
}

/** Thrown, not returned: a rule that looks at other records cannot be answered from this one. */
const otherRecords = Symbol("other records")
const elsewhere: World = {
  one() {
    throw otherRecords
  },
  many() {
    throw otherRecords
  },
}
