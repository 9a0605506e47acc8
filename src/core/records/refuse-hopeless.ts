import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import type { LinkedCollection } from "./link.ts"
import { refuseAnonymous } from "./plan.ts"
import type { View } from "./view.ts"

/**
 * Refuses before anything is read of what may be long, where no record could make a difference. A guard would say the same
 * of each, but there may be none.
 *
 * @throws {Problem} `unauthenticated`, `token_outdated`, `forbidden`
 */
export async function refuseHopeless(
  app: App,
  view: View,
  collection: LinkedCollection,
  action: "create" | "update" | "delete",
): Promise<void> {
  refuseAnonymous(view, action, collection)
  const { create, update, delete: remove } = collection.rules
  const rule = { create, update: update?.before ?? null, delete: remove }[action]
  const { actor } = view
  if (view.writeRule(collection, action, rule) !== false) return
  // Their rights may have grown since their token was made.
  if (actor.kind === "user") assertEpoch(actor, await app.db.all(epochProbe(actor)))
  throw new Problem("forbidden")
}
