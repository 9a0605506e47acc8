import type { Context } from "hono"
import type { Http } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { type View, viewFor } from "./view.ts"

/* What the routes of records share. */

/** The collection in the address, as the caller sees it. @throws {Problem} `not_found` */
export function findCollection(
  c: Context<Http>,
  collections: LinkedCollections,
): { collection: LinkedCollection; view: View } {
  const collection = collections.get(c.req.param("collection") ?? "")
  if (!collection) throw new Problem("not_found", "There is no such collection.")
  c.set("collection", collection.name)
  const { budget } = collection.definition.options
  // Never a refusal: how many rows were read depends on those that the caller does not see.
  if (budget) c.set("budget", { rowsRead: budget.rowsRead })
  if (collection.sqlView !== null) refuseOfView(c, collection)
  return { collection, view: viewFor(c.get("app"), c.get("actor"), collections) }
}

/** A view is listed, read, counted and exported: it has no versions, and nothing to write. */
function refuseOfView(c: Context<Http>, { name }: LinkedCollection): void {
  if (!["GET", "HEAD"].includes(c.req.method)) throw readOnly(name)
  const [, part, further] = c.req.path.slice("/records/".length).split("/")
  if (further !== undefined || part === "import") throw new Problem("not_found")
}

/** What a write of a view is answered with. */
export const readOnly = (name: string): Problem =>
  new Problem("method_not_allowed", {
    detail: `"${name}" is a view, made of other records: change those.`,
    headers: { allow: "GET, HEAD, OPTIONS" },
  })

export const parametersOf = (c: Context<Http>): URLSearchParams => {
  const at = c.req.url.indexOf("?")
  return at < 0 ? new URLSearchParams() : new URLSearchParams(c.req.url.slice(at + 1))
}

/** OPTIONS asks what is allowed (RFC 9110, 9.3.7); any other method here is not. */
export function notAllowed(c: Context<Http>, allow: string): Response {
  if (c.req.method === "OPTIONS") return c.body(null, 204, { allow })
  throw new Problem("method_not_allowed", {
    detail: `${c.req.method} is not allowed here: ${allow}.`,
    headers: { allow },
  })
}
