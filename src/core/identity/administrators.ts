import type { MiddlewareHandler } from "hono"
import { isAdministrator, type UserActor } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"

/** Lets administrators of the deployment pass. @throws {Problem} `unauthenticated`, `forbidden` */
export const administrators: MiddlewareHandler<
  Http & { Variables: Http["Variables"] & { actor: UserActor } }
> = async (c, next) => {
  const actor = c.get("actor")
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  if (!isAdministrator(actor)) throw new Problem("forbidden", "Only administrators may do this.")
  await next()
}
