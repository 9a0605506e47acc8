import { type Filter, filter } from "../../client/filter.ts"
import type { Route } from "./route.ts"

export const sorts = {
  "-imdbRating": "Highest rated",
  "-averageStars": "Loved by the club",
  "-releasedOn": "Newest first",
  releasedOn: "Oldest first",
  title: "Title, A to Z",
} as const

type Sort = keyof typeof sorts

/** Films as the route asks for them. Nonsense typed into the address is left out, as if nothing had been chosen. */
export function filmQuery(route: Route) {
  const sort = sortOf(route)
  return {
    filter: conditions(route).join(" && "),
    search: route.search,
    limit: 48,
    ...(sort && { sort }),
  }
}

/** The order; null is by relevance, which only a search has. */
export function sortOf(route: Route): Sort | null {
  if (route.sort in sorts) return route.sort as Sort
  return route.search ? null : "-imdbRating"
}

function conditions(route: Route): Filter[] {
  const { genre, rating } = route
  const from = year(route.from)
  const to = year(route.to)
  const score = Number(route.score)
  return [
    genre === "none" && filter`genre = ${null}`,
    genre && genre !== "none" && filter`genre = ${genre}`,
    rating && filter`mpaaRating = ${rating}`,
    from && filter`releasedOn >= ${`${from}-01-01`}`,
    to && filter`releasedOn <= ${`${to}-12-31`}`,
    score > 0 && filter`imdbRating >= ${score}`,
  ].filter((condition) => condition !== null && typeof condition === "object")
}

const year = (text: string): string | null =>
  /^\d{4}$/.test(text) && text !== "0000" ? text : null
