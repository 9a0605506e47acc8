import type { MiddlewareHandler } from "hono"
import { type Actor, isAdministrator, type UserActor } from "../../platform/app.ts"
import type { SignedIn } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"

/**
 * Lets administrators of the deployment through, after one trip to the directory that says whether their token still
 * stands: for routes that do not ask the directory themselves.
 *
 * @throws {Problem} `unauthenticated`, `forbidden`, `token_outdated`
 */
export const administrators: MiddlewareHandler<SignedIn> = async (c, next) => {
  const app = c.get("app")
  const actor = assertAdministrator(c.get("actor"))
  assertSignedIn(actor, await app.directory.all(sessionProbe(actor)))
  await next()
}

/**
 * Lets through whose token says that they administer the deployment: for routes that ask the directory anyway, and ask
 * in the same trip whether the token still stands.
 *
 * @throws {Problem} `unauthenticated`, `forbidden`
 */
export const claimedAdministrators: MiddlewareHandler<SignedIn> = async (c, next) => {
  assertAdministrator(c.get("actor"))
  await next()
}

function assertAdministrator(actor: Actor): UserActor {
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  if (!isAdministrator(actor)) throw new Problem("forbidden", "Only administrators may do this.")
  return actor
}
