import { digestReaders } from "./digest.ts"
import { films } from "./films.ts"
import { notices } from "./notices.ts"
import { reviews } from "./reviews.ts"
import { screenings } from "./screenings.ts"
import { watchlists } from "./watchlists.ts"

/** The collections of this deployment. A collection that is not listed here does not exist. */
export const collections = [films, reviews, watchlists, notices, screenings, digestReaders] as const
