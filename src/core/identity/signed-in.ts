import type { MiddlewareHandler } from "hono"
import type { SignedIn } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"

/**
 * Lets people with an account through, by what their token says: for routes that ask the directory themselves whether it
 * still stands.
 *
 * @throws {Problem} `unauthenticated`; `account_required` for an anonymous session
 */
export const signedIn: MiddlewareHandler<SignedIn> = async (c, next) => {
  const actor = c.get("actor")
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  if (actor.anonymous) throw new Problem("account_required")
  await next()
}

/** The same for any session, also of somebody who has no account. @throws {Problem} `unauthenticated` */
export const withSession: MiddlewareHandler<SignedIn> = async (c, next) => {
  if (c.get("actor").kind !== "user") throw new Problem("unauthenticated")
  await next()
}
