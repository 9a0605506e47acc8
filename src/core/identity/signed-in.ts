import type { MiddlewareHandler } from "hono"
import type { SignedIn } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"

/** Lets people through. @throws {Problem} `unauthenticated` */
export const signedIn: MiddlewareHandler<SignedIn> = async (c, next) => {
  if (c.get("actor").kind !== "user") throw new Problem("unauthenticated")
  await next()
}
