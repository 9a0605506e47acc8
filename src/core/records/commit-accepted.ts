import type { Actor, App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import type { Draft, Written } from "./draft.ts"
import type { LinkedCollections } from "./link.ts"
import { type CommitOptions, commit } from "./write.ts"

/** Who writes, and where. */
export interface Writer {
  readonly app: App
  readonly actor: Actor
  readonly collections: LinkedCollections
}

interface Asked<Item> {
  readonly items: readonly Item[]
  /** Told of each item that is refused; may answer what to try in its place. */
  refuse(item: Item, problem: Problem): Promise<Item | null> | null
  /** How those are written that are left. */
  options(accepted: readonly Item[]): CommitOptions
}

/**
 * Writes in one batch all that is not refused. A refusal names its place: that one is taken out and the rest is tried
 * again, so that at worst there is a trip for each. Answers what was left, and what came of it (nothing in a rehearsal).
 *
 * @throws {Problem} for what no item is to blame for: `token_outdated`, a database that fails.
 */
export async function commitAccepted<Item extends { readonly draft: Draft }>(
  { app, actor, collections }: Writer,
  { items, refuse, options }: Asked<Item>,
): Promise<{ accepted: readonly Item[]; written: readonly Written[] }> {
  for (let accepted = items; ; ) {
    const how = options(accepted)
    if (accepted.length === 0) {
      const along = how.rehearsal ? [] : (how.along ?? [])
      if (along.length > 0) await app.db.batch(along)
      return { accepted, written: [] }
    }
    const drafts = accepted.map(({ draft }) => draft)
    try {
      return {
        accepted,
        written: await commit(app, actor, collections, drafts, { ...how, indexed: true }),
      }
    } catch (error) {
      const refused = refusedItem(error, accepted)
      if (!refused) throw error
      const instead = await refuse(refused.item, refused.problem)
      accepted = accepted.flatMap((item) =>
        item !== refused.item ? [item] : instead ? [instead] : [],
      )
    }
  }
}

function refusedItem<Item>(
  error: unknown,
  items: readonly Item[],
): { item: Item; problem: Problem } | null {
  if (!(error instanceof Problem) || error.status >= 500 || error.code === "token_outdated")
    return null
  const item = items[error.details.index ?? -1]
  return item === undefined ? null : { item, problem: error }
}
