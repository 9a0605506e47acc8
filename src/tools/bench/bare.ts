import { DurableObject } from "cloudflare:workers"
import { Hono } from "hono"
import { bareMember } from "./bare-member.ts"

/*
 * What the backend is measured against: the same answers from the same tables, by one statement written by hand, with
 * no rights, no validation, no log, no versions.
 */

const columns = "id, version, createdAt, updatedAt, createdBy, updatedBy, title"

const bare = new Hono<{ Bindings: Env }>()

  .get("/records/articles/:id", async (c) => {
    const row = await c.env.DB.prepare(
      `SELECT ${columns}, summary, category, published, score FROM articles WHERE id = ? AND published = 1`,
    )
      .bind(c.req.param("id"))
      .first()
    return row ? c.json(row) : c.json({ title: "Not found" }, 404)
  })

  .get("/records/articles", async (c) => {
    const { results } = await c.env.DB.prepare(
      `SELECT ${columns}, summary, category, published, score FROM articles WHERE published = 1 AND category = ? ORDER BY score DESC, id LIMIT ?`,
    )
      .bind(c.req.query("category"), Number(c.req.query("limit")))
      .all()
    return c.json({ items: results, next: null })
  })

  .post("/records/notes", async (c) => {
    const { title, body } = await c.req.json<{ title: string; body: string }>()
    const id = crypto.randomUUID()
    const at = new Date().toISOString()
    await c.env.DB.prepare(
      "INSERT INTO notes (id, version, createdAt, updatedAt, createdBy, updatedBy, title, body, author) VALUES (?1, 1, ?2, ?2, ?3, ?3, ?4, ?5, ?3)",
    )
      .bind(id, at, bareMember, title, body)
      .run()
    const by = { createdBy: bareMember, updatedBy: bareMember }
    return c.json({ id, version: 1, createdAt: at, updatedAt: at, ...by, title, body }, 201)
  })

export default bare

/** wrangler.toml names the class, so each Worker of the bench has one. */
export class ChangePump extends DurableObject {}
export class JobDispatcher extends DurableObject {}
export class MetricsStore extends DurableObject {}
