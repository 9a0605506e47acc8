import { Hono } from "hono"
import * as z from "zod"
import type { SignedIn } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { queryOf } from "../../platform/input.ts"
import { nextLink } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { signedIn } from "../identity/signed-in.ts"
import { getOwnOperation, listRefusals, operationAnswer } from "./bulk-operation.ts"

export const refusalsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(0)
    .meta({ description: "`next` of the page before." }),
})

/** `/bulk-operations/{id}`: how far something is that takes longer than a request, for whoever asked for it. */
export const operationRoutes = new Hono<SignedIn>()
  .use(signedIn)
  .get("/:id", async (c) =>
    c.json(
      operationAnswer(await getOwnOperation(c.get("app"), c.get("actor"), idOf(c.req.param("id")))),
    ),
  )
  .get("/:id/refusals", queryOf(refusalsQuery), async (c) => {
    const query = c.req.valid("query")
    const page = await listRefusals(c.get("app"), c.get("actor"), idOf(c.req.param("id")), query)
    return c.json(page, 200, nextLink(c.req.url, page))
  })

/** An id that cannot be one is an id of nothing. */
function idOf(id: string): string {
  if (!isId(id)) throw new Problem("not_found")
  return id
}
