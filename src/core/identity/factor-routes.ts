import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { jsonBody } from "../../platform/input.ts"
import {
  confirmAuthenticator,
  deleteAuthenticator,
  listAuthenticators,
  startAuthenticator,
} from "./authenticators.ts"
import { callerOf } from "./caller.ts"
import { authenticatorConfirmation, newAuthenticator } from "./factor-schema.ts"
import { countRecoveryCodes, replaceRecoveryCodes } from "./recovery-codes.ts"
import { signedIn } from "./signed-in.ts"

/** What proves, beside a password, that it is the person: mounted with the routes of identity. */
export const factorRoutes = new Hono<Http>()

  .post("/auth/authenticators", signedIn, jsonBody(newAuthenticator), async (c) => {
    const { name } = c.req.valid("json")
    const authenticator = await startAuthenticator(c.get("app"), c.get("actor"), name)
    return c.json(authenticator, 201, { location: `/auth/authenticators/${authenticator.id}` })
  })

  .post(
    "/auth/authenticators/:id/confirmations",
    signedIn,
    jsonBody(authenticatorConfirmation),
    async (c) => {
      const [app, actor] = [c.get("app"), c.get("actor")]
      const { code } = c.req.valid("json")
      const id = c.req.param("id")
      return c.json(await confirmAuthenticator(app, actor, id, code, callerOf(c.req.raw)), 201)
    },
  )

  .get("/auth/authenticators", signedIn, async (c) => {
    const items = await listAuthenticators(c.get("app"), c.get("actor"))
    return c.json({ items, next: null })
  })

  .delete("/auth/authenticators/:id", signedIn, async (c) => {
    const caller = callerOf(c.req.raw)
    await deleteAuthenticator(c.get("app"), c.get("actor"), c.req.param("id"), caller)
    return c.body(null, 204)
  })

  .post("/auth/recovery-codes", signedIn, async (c) => {
    const codes = await replaceRecoveryCodes(c.get("app"), c.get("actor"), callerOf(c.req.raw))
    return c.json(codes, 201)
  })

  .get("/auth/recovery-codes", signedIn, async (c) =>
    c.json(await countRecoveryCodes(c.get("app"), c.get("actor"))),
  )
