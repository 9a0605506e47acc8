import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { invalidInput } from "../../platform/problem.ts"
import { listChanges } from "./changes-feed.ts"
import type { LinkedCollections } from "./link.ts"
import { parseLimit, readParameters } from "./query.ts"
import { viewFor } from "./view.ts"

const parameters = ["since", "before", "limit", "collection", "actor", "kind", "differences"]

/** `/changes`: what has happened, as the caller may see it. */
export const changesRoutes = (collections: LinkedCollections): Hono<Http> =>
  new Hono<Http>().get("/", async (c) => {
    const one = readParameters(new URL(c.req.url).searchParams, parameters)
    const app = c.get("app")
    const view = viewFor(app, c.get("actor"), collections)
    const [since, before] = [one("since"), one("before")]
    if (since !== null && before !== null) {
      const message = "before: the log is read on from a position, or back; not both."
      throw invalidInput({ path: "query.before", code: "not_together", message })
    }
    const page = await listChanges(app, view, collections, {
      ...{ since, before },
      limit: parseLimit(one("limit")),
      collection: one("collection"),
      actor: one("actor"),
      kind: oneOf("kind", one("kind"), ["created", "updated", "deleted"]),
      differences: oneOf("differences", one("differences"), ["true", "false"]) === "true",
    })
    return c.json(page)
  })

/** @throws {Problem} `invalid_input`, unless it is absent or one of these. */
function oneOf<Value extends string>(
  name: string,
  text: string | null,
  values: readonly Value[],
): Value | null {
  const value = values.find((one) => one === text)
  if (text === null || value !== undefined) return value ?? null
  const message = `${name}: one of ${values.map((one) => `"${one}"`).join(", ")}.`
  throw invalidInput({ path: `query.${name}`, code: "unknown_value", message })
}
