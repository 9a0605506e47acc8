import type { MiddlewareHandler } from "hono"
import type { SignedIn } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"

/**
 * Lets people through, by what their token says: for routes that ask the directory themselves whether it still stands.
 *
 * @throws {Problem} `unauthenticated`
 */
export const signedIn: MiddlewareHandler<SignedIn> = async (c, next) => {
  if (c.get("actor").kind !== "user") throw new Problem("unauthenticated")
  await next()
}
