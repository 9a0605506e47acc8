import { type Action, actions } from "../identity/key-scopes.ts"
import type { LinkedCollection, LinkedCollections, LinkedField } from "../records/link.ts"
import type { View } from "../records/view.ts"

/**
 * Who reads the documentation. What the actor can never read of the data is not described to it either: a field that
 * only editors may know of is in the editors' document alone.
 */
export interface Reader {
  readonly collections: LinkedCollections
  readonly view: View
  /** The view of somebody without a session: says which operations need none. */
  readonly stranger: View
}

export const fieldsKnownTo = (reader: Reader, collection: LinkedCollection): LinkedField[] =>
  [...collection.fields.values()].filter((field) => reader.view.fieldRule(field) !== false)

/** Whether anybody like this reader could ever do it: there is a rule, or the reader passes rules. */
export const isOpen = (reader: Reader, collection: LinkedCollection, action: Action): boolean =>
  collection.rules[action] !== null ||
  (!collection.builtIn && collection.sqlView === null && reader.view.passes(collection)) ||
  (action === "read" && reader.view.passes(collection))

/** Collections without any rule are known only to those who pass rules. The built-in ones come last. */
export const collectionsKnownTo = (reader: Reader): LinkedCollection[] =>
  [...reader.collections.values()]
    .filter((collection) => actions.some((action) => isOpen(reader, collection, action)))
    .sort((a, b) => Number(a.builtIn) - Number(b.builtIn))

/** All that makes one reader's document differ from another's, as a short text. */
export const shapeOfReader = ({ collections, view }: Reader): string =>
  [...collections.values()]
    .map((collection) => {
      const fields = [...collection.fields.values()].filter((field) => field.readable !== null)
      return `${sign(view.passes(collection))}${sign(view.readRule(collection))}${fields.map((field) => sign(view.fieldRule(field))).join("")}`
    })
    .join(" ")

const sign = (rule: unknown): string => (rule === true ? "+" : rule === false ? "-" : "?")
