import type { App, UserActor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { recordsFor } from "./api.ts"
import type { LinkedCollections } from "./link.ts"

/** What became of a part of a person's records. */
export interface DeletedRecords {
  readonly deleted: number
  /** Their rules, hooks or other records stand in the way. */
  readonly kept: number
  /** Where the next part begins; null when this was the last. */
  readonly next: string | null
}

/** Each is a write of its own, behind its own guard, and D1 answers 1,000 queries an invocation. */
const partRecords = 50

/**
 * Deletes what the actor has made, collection by collection, as far as they may delete it: by the one write path, with
 * hooks, rules and log lines. What another of their records points at is kept the first time, and may go the next.
 *
 * @param cursor `next` of the part before
 */
export const deleteOwnRecordsOf =
  (collections: LinkedCollections) =>
  async (app: App, actor: UserActor, cursor: string | null): Promise<DeletedRecords> => {
    const records = recordsFor(app, actor, collections)
    const [from = "", ...rest] = cursor?.split("/") ?? []
    const place = rest.join("/")
    const own = [...collections.values()]
      .filter(
        ({ builtIn, scoped, rules }) =>
          !builtIn &&
          rules.read !== null &&
          rules.delete !== null &&
          (!scoped || actor.organisation !== null),
      )
      .map(({ definition }) => definition)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    let deleted = 0
    let kept = 0
    for (const collection of own) {
      if (collection.name < from) continue
      const within = collection.name === from && place
      const { items, next } = await records.list(collection, {
        filter: "createdBy = @me.id",
        limit: partRecords,
        ...(within && { cursor: place }),
      })
      for (const { id } of items) {
        if (await isDeleted(() => records.delete(collection, id))) deleted++
        else kept++
      }
      if (next !== null) return { deleted, kept, next: `${collection.name}/${next}` }
      const following = own.find(({ name }) => name > collection.name)
      if (items.length > 0 && following) return { deleted, kept, next: `${following.name}/` }
    }
    return { deleted, kept, next: null }
  }

/** What is refused for itself is kept; what is refused for the actor, or is our own mistake, ends it. */
async function isDeleted(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500 || error.status === 401) throw error
    return false
  }
}
