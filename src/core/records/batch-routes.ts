import { type Context, Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { parseJson, readText } from "../../platform/validate.ts"
import { type Answer, answerTo } from "./answer.ts"
import { parseBatch } from "./batch.ts"
import { isReplay, readIdempotency, replaySeveral } from "./idempotency.ts"
import type { LinkedCollections } from "./link.ts"
import { readParameters } from "./query.ts"
import { madeBefore } from "./read-back.ts"
import { viewFor } from "./view.ts"
import { commit } from "./write.ts"

/** `POST /batch`: writes that are all made, or none of them. */
export function batchRoutes(collections: LinkedCollections): Hono<Http> {
  return new Hono<Http>().post("/", async (c) => {
    const app = c.get("app")
    const actor = c.get("actor")
    const view = viewFor(app, actor, collections)
    readParameters(new URL(c.req.url).searchParams, [])
    const text = await readText(c.req.raw)
    const key = await readIdempotency(c.req.raw, "POST /batch", text)
    const { drafts, refusal } = parseBatch(view, collections, app.newId, parseJson(text))
    if (refusal) {
      // The first that fails is answered: those before it are judged, though nothing will come of them.
      if (drafts.length > 0) {
        await commit(app, actor, collections, drafts, { indexed: true, rehearsal: true })
      }
      throw refusal
    }
    const idempotency = key && { ...key, several: true }
    try {
      const written = await commit(app, actor, collections, drafts, { idempotency, indexed: true })
      return answer(
        c,
        written.map((it, at) => {
          const { action, collection } = drafts[at] as (typeof drafts)[number]
          return action === "delete" ? deleted : answerTo(collection, it)
        }),
      )
    } catch (error) {
      if (!idempotency || !isReplay(error)) throw error
      const subjects = drafts.map(({ collection }) => collection)
      const first = await replaySeveral(app, view, subjects, idempotency)
      return answer(
        c,
        first.map(({ status, ...it }, at) =>
          status === 204
            ? deleted
            : answerTo(subjects[at] as (typeof subjects)[number], {
                ...it,
                created: status === 201 && !madeBefore(subjects, first, at),
              }),
        ),
      )
    }
  })
}

const deleted = { status: 204, headers: {}, body: "null" } as const

/** Bodies are JSON already, and are not parsed to be written again. */
function answer(c: Context<Http>, answers: readonly (Answer | typeof deleted)[]): Response {
  const results = answers.map(
    ({ status, headers, body }) =>
      `{"status":${status},"headers":${JSON.stringify(headers)},"body":${body}}`,
  )
  return c.body(`{"results":[${results.join(",")}]}`, 200, { "content-type": "application/json" })
}
