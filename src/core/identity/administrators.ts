import type { MiddlewareHandler } from "hono"
import { type Actor, hasAdministratorRole, type UserActor } from "../../platform/app.ts"
import type { SignedIn } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"
import { assertSignedIn, sessionProbe } from "./directory-guard.ts"
import { grantsAdministration } from "./key-scopes.ts"

/**
 * Lets administrators of the deployment through, after one trip to the directory that says whether their token still
 * stands: for routes that do not ask the directory themselves.
 *
 * @throws {Problem} `unauthenticated`, `forbidden`, `token_outdated`
 */
export const administrators: MiddlewareHandler<SignedIn> = async (c, next) => {
  const app = c.get("app")
  const actor = assertAdministrator(c.get("actor"), c.req)
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
  assertAdministrator(c.get("actor"), c.req)
  await next()
}

function assertAdministrator(actor: Actor, request: { method: string; path: string }): UserActor {
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  if (!hasAdministratorRole(actor))
    throw new Problem("forbidden", "Only administrators may do this.")
  if (actor.key && !grantsAdministration(actor.key.scopes, request.method, request.path)) {
    throw new Problem("forbidden", "This API key may not do this.")
  }
  return actor
}
