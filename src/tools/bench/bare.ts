import { DurableObject } from "cloudflare:workers"
import { Hono } from "hono"
import { bareMember } from "./bare-member.ts"

/*
 * What the backend is measured against: the same answers from the same tables, by one statement written by hand, with
 * no rights, no validation, no log, no versions.
 */

const columns = "id, version, createdAt, updatedAt, createdBy, updatedBy, title"

const bare = new Hono<{ Bindings: Env }>()

  .get("/records/articles/export", (c) => {
    const encoder = new TextEncoder()
    let last = ""
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { results } = await c.env.DB.prepare(
          `SELECT ${columns}, summary, category, published, score FROM articles WHERE published = 1 AND id > ? ORDER BY id LIMIT 5000`,
        )
          .bind(last)
          .all<{ id: string }>()
        last = results.at(-1)?.id ?? ""
        if (results.length === 0) controller.close()
        else {
          const lines = results.map((row) => `${JSON.stringify(row)}\n`)
          controller.enqueue(encoder.encode(lines.join("")))
        }
      },
    })
    return c.body(body, 200, { "content-type": "application/x-ndjson" })
  })

  .post("/records/notes/import", async (c) => {
    const decoder = new TextDecoder()
    const at = new Date().toISOString()
    let rest = ""
    let lines: string[] = []
    let made = 0
    // In the order of their making, as those of the backend: an index takes them more easily than random ones.
    const run = crypto.randomUUID().slice(0, 8)
    const take = (line: string) => {
      const id = `${at.slice(11, 19).replaceAll(":", "")}00-${run.slice(0, 4)}-7${run.slice(4, 7)}-8000-${(made++).toString(16).padStart(12, "0")}`
      return lines.push(`["${id}",${line}]`)
    }
    const insert = async () => {
      await c.env.DB.prepare(
        "INSERT INTO notes (id, version, createdAt, updatedAt, createdBy, updatedBy, title, body, author) SELECT json_extract(value, '$[0]'), 1, ?2, ?2, ?3, ?3, json_extract(value, '$[1].title'), json_extract(value, '$[1].body'), ?3 FROM json_each(?1)",
      )
        .bind(`[${lines.join(",")}]`, at, bareMember)
        .run()
      lines = []
    }
    for await (const chunk of c.req.raw.body as unknown as AsyncIterable<Uint8Array>) {
      const found = (rest + decoder.decode(chunk, { stream: true })).split("\n")
      rest = found.pop() as string
      for (const line of found) if (take(line) === 1_000) await insert()
    }
    if (rest) take(rest)
    if (lines.length > 0) await insert()
    return c.json({ done: true })
  })

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

  .post("/files/:name", async (c) => {
    await c.env.BLOBS.put(c.req.param("name"), c.req.raw.body)
    return c.json({ done: true }, 201)
  })

  .get("/files/:name", async (c) => {
    const object = await c.env.BLOBS.get(c.req.param("name"))
    return object ? c.body(object.body) : c.json({ title: "Not found" }, 404)
  })

export default bare

/** wrangler.toml names the class, so each Worker of the bench has one. */
export class ChangePump extends DurableObject {}
export class JobDispatcher extends DurableObject {}
export class WebhookDispatcher extends DurableObject {}
export class WebhookSender extends DurableObject {}
export class UploadReceiver extends DurableObject {}
export class MetricsStore extends DurableObject {}
