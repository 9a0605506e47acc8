import { films } from "./films.ts"
import { reviews } from "./reviews.ts"
import { watchlists } from "./watchlists.ts"

/** The collections of this deployment. A collection that is not listed here does not exist. */
export const collections = [films, reviews, watchlists] as const
