import type { App } from "../../platform/app.ts"
import type { Deliver, StoredChange } from "../changes/pump.ts"
import type { CommittedChange } from "./collection.ts"
import { decodeImage } from "./image.ts"
import type { LinkedCollections } from "./link.ts"
import { reachFor } from "./reach.ts"

/** Hands lines of the log to the `afterCommit` of their collection, with the rights of the system. */
export const deliverTo =
  (collections: LinkedCollections): Deliver =>
  async (app: App, change: StoredChange) => {
    const collection = collections.get(change.subject)
    const listener = collection?.definition.options.afterCommit
    if (!collection || !listener) return false
    const { payload, ...line } = change
    const committed: CommittedChange = { ...line, image: decodeImage(collection, payload) }
    const actor = { kind: "system", organisation: change.organisation } as const
    await listener(app, committed, reachFor(app, actor, collections))
    return true
  }
