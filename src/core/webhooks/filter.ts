import { checkExpression } from "../expression/check.ts"
import type { Checked } from "../expression/checked.ts"
import { evaluateExpression, type MemoryRow, type World } from "../expression/evaluate.ts"
import { parseExpression } from "../expression/parse.ts"
import type { Access } from "../expression/types.ts"
import type { LinkedCollection } from "../records/link.ts"
import type { View } from "../records/view.ts"

/*
 * Conditions on events. A condition is asked of what its owner may read, and of nothing else: hidden fields and hidden
 * versions are empty to it. So whether an event comes tells nothing that reading would not.
 */

/**
 * A filter over the own fields of a collection, as they are after the event, and before it with `@old`.
 *
 * @throws {ExpressionError} also for fields that the actor may never read, as for those that are not there
 */
export const parseEventFilter = (view: View, collection: LinkedCollection, text: string): Checked =>
  checkExpression(parseExpression(text), collection.shape, {
    mode: "client",
    access: view.access,
    event: true,
  })

/** For what has been taken away already: rules ask the record itself, which is not in memory. */
const everything: Access = { readRule: () => true, fieldRule: () => true }

/** @param after what the owner may read of the record; `before` the same of what it was, null where there is nothing */
export function matches(
  view: View,
  collection: LinkedCollection,
  text: string,
  after: MemoryRow,
  before: MemoryRow | null,
): boolean {
  const checked = checkExpression(parseExpression(text), collection.shape, {
    mode: "client",
    access: everything,
    event: true,
  })
  return evaluateExpression(checked, after, {
    context: view.context,
    world: nobody,
    next: before ?? {},
  })
}

/** Own fields alone lead nowhere. */
const nobody: World = { one: () => null, many: () => [] }
