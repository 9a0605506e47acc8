import { Hono } from "hono"
import type { Http } from "./http.ts"
import { sql } from "./sql.ts"

/** Answers when the deployment serves: its settings parse and its database is migrated. */
export const healthRoutes = new Hono<Http>().get("/", async (c) => {
  await c.get("app").db.all(sql`SELECT seq FROM changes LIMIT 1`)
  return c.json({ status: "ok" })
})
