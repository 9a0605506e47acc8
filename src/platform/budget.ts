import type { MiddlewareHandler } from "hono"
import type { App } from "./app.ts"
import { Problem } from "./problem.ts"

/** How much a request may cost. D1 bills rows read, and a route that reads ever more is not seen until the bill is. */
export interface Budget {
  /** Rows that D1 may read for one request, in all its statements. */
  readonly rowsRead: number
  /**
   * Answer `budget_exceeded` instead of what was read. Known only afterwards, so what it spares is the next time. Where
   * callers may not see every row, a refusal tells them of rows that they do not see.
   */
  readonly refuse?: boolean
}

/** For a route of the product's own: `routes.get("/club", budget({ rowsRead: 100 }), …)`. */
export const budget =
  (limit: Budget): MiddlewareHandler<{ Variables: { budget?: Budget } }> =>
  async (c, next) => {
    c.set("budget", limit)
    await next()
  }

/**
 * Looks at what a request has cost, once it is known: says so in the log in development.
 *
 * @returns the refusal that answers it instead; null when it may be answered. What has been written is never refused.
 */
export function weigh(app: App, method: string, path: string, limit: Budget): Problem | null {
  const { rowsRead, rowsWritten } = app.cost
  if (rowsRead <= limit.rowsRead) return null
  if (app.settings.development) {
    app.log("warn", "budget exceeded", { method, path, rowsRead, budget: limit.rowsRead })
  }
  const mayRefuse = limit.refuse && rowsWritten === 0 && (method === "GET" || method === "HEAD")
  if (!mayRefuse) return null
  return new Problem(
    "budget_exceeded",
    "This reads more than the route allows: ask for less, or filter by what is indexed.",
  )
}
