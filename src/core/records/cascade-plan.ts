import { DefinitionError } from "../../platform/definition-error.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"

/* What the deletion of a record means to the records that point at it, as far as the definitions tell. No I/O. */

/** A relation that leads from records of `from` to records of `to`. */
export interface Pointer {
  readonly from: LinkedCollection
  readonly field: LinkedField
  readonly to: LinkedCollection
}

/** How far the deletion of one record of a collection may reach. */
export interface DeletionPlan {
  /** Collections of which records may go: that of the deleted record first, then in the order of reach. */
  readonly deleted: readonly LinkedCollection[]
  /** Through these, a record goes with the one that it points at. */
  readonly cascading: readonly Pointer[]
  /** These are emptied (`setNull`) or lose a link (`unlink`). */
  readonly releasing: readonly Pointer[]
  /** While a record that stays points through one of these, nothing goes. */
  readonly restricting: readonly Pointer[]
}

const plans = new WeakMap<LinkedCollection, DeletionPlan>()

/** The plan of a collection; computed once. */
export function deletionPlan(collection: LinkedCollection): DeletionPlan {
  const known = plans.get(collection)
  if (known) return known
  const deleted = new Set([collection])
  const pointers: Pointer[] = []
  // A set is walked to its end also when it grows meanwhile.
  for (const to of deleted) {
    for (const { collection: from, field } of to.referrers) {
      pointers.push({ from, field, to })
      if (field.options.onDelete === "cascade") deleted.add(from)
    }
  }
  const having = (...reactions: (string | undefined)[]) =>
    pointers.filter(({ field }) => reactions.includes(field.options.onDelete))
  const plan: DeletionPlan = {
    deleted: [...deleted],
    cascading: having("cascade"),
    releasing: having("setNull", "unlink"),
    restricting: having("restrict", undefined),
  }
  plans.set(collection, plan)
  return plan
}

/** True where a deletion may concern records beside the one that is named. */
export const takesAlong = ({ cascading, releasing }: DeletionPlan): boolean =>
  cascading.length + releasing.length > 0

/** Collections of which a deletion may delete or change records, its own among them. */
export function touchedByDeletion(collection: LinkedCollection): readonly LinkedCollection[] {
  const { deleted, releasing } = deletionPlan(collection)
  return [...new Set([...deleted, ...releasing.map(({ from }) => from)])]
}

/** @throws {DefinitionError} for an `onDelete` that could never be kept. */
export function checkOnDelete({ name, fields }: LinkedCollection): void {
  for (const { name: field, kind, required, target, options } of fields.values()) {
    const { onDelete } = options
    if (onDelete === undefined || onDelete === "restrict") continue
    const wrong = (why: string) => new DefinitionError(`onDelete of ${name}.${field}: ${why}`)
    const known = kind === "relations" ? ["unlink"] : ["cascade", "setNull"]
    if (!known.includes(onDelete)) {
      throw wrong(`"${onDelete}" is not one of "restrict", "${known.join('", "')}".`)
    }
    if (target?.builtIn) {
      throw wrong(
        `people are never deleted through records, and keep their id when their account goes. Leave onDelete out; what is to go with an account is a job for a listener.`,
      )
    }
    if (onDelete === "setNull" && required) {
      throw wrong(`"setNull" would empty a required field: use "cascade", or drop required.`)
    }
    if (onDelete === "unlink" && required) {
      throw wrong(`"unlink" could empty a required list: use "restrict", or drop required.`)
    }
  }
}
