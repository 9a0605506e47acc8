import { createClient } from "../../client/client.ts"
import type { User } from "../../client/session.ts"
import type { RecordOf } from "../../core/records/collection.ts"
import type { collections } from "../collections.ts"
import type { films } from "../films.ts"
import type { reviews } from "../reviews.ts"
import type { watchlists } from "../watchlists.ts"

export type Film = RecordOf<typeof films>
export type Review = RecordOf<typeof reviews>
export type Watchlist = RecordOf<typeof watchlists>

/** All that this page knows of the server. */
export const hinterland = createClient<typeof collections>({
  url: location.origin,
  ...storage(),
})

/** Nobody's storage where the browser forbids it; then a session is found again by its cookie. */
function storage(): { storage?: Storage } {
  try {
    return { storage: localStorage }
  } catch {
    return {}
  }
}

let user: User | null = null
hinterland.auth.onChange((next) => {
  user = next
})

/** Who is signed in, as far as the page knows. */
export const currentUser = (): User | null => user
export const onUserChange = hinterland.auth.onChange
