import type { LinkedCollection, LinkedCollections } from "../records/link.ts"

/*
 * What one can hear of: `<collection>.created`, `.updated`, `.deleted`, of every collection that leaves lines in the log.
 */

export const kinds = ["created", "updated", "deleted"] as const
export type Kind = (typeof kinds)[number]

export interface EventType {
  readonly collection: LinkedCollection
  readonly kind: Kind
}

/** Of the shape of what is told; rises when a receiver that worked may stop working. */
export const eventVersion = 1

/** Collections that events tell of: neither people nor views. */
export const toldOf = (collections: LinkedCollections): LinkedCollection[] =>
  [...collections.values()].filter(({ builtIn, sqlView }) => !builtIn && sqlView === null)

export const typeName = (subject: string, kind: Kind): string => `${subject}.${kind}`

/** Null for what is no event of this deployment. */
export function parseEventType(collections: LinkedCollections, text: string): EventType | null {
  const at = text.lastIndexOf(".")
  const collection = collections.get(text.slice(0, at))
  const kind = kinds.find((one) => one === text.slice(at + 1))
  if (!collection || !kind || collection.builtIn || collection.sqlView !== null) return null
  return { collection, kind }
}
