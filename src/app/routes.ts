import { Hono } from "hono"
import type { OwnHttp } from "../core/records/reach.ts"
import { budget } from "../platform/budget.ts"
import { films } from "./films.ts"
import { pageRoutes } from "./page.ts"
import { reviews } from "./reviews.ts"

/** Routes of this deployment's own, beside those of its collections. */
export const routes = new Hono<OwnHttp>()

/** The club at a glance: the newest reviews, with their films, and the films that the club likes best. */
routes.get("/club", budget({ rowsRead: 100 }), async (c) => {
  const records = c.get("records")
  const [newest, best] = await Promise.all([
    records.list(reviews, { sort: "-createdAt", limit: 5, expand: "film,author" }),
    records.list(films, { filter: "averageStars > 0", sort: "-averageStars", limit: 5 }),
  ])
  return c.json({ newestReviews: newest.items, bestFilms: best.items })
})

routes.route("/", pageRoutes)
