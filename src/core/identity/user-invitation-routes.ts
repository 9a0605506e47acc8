import { Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { passwordResetConfirmation } from "./account-schema.ts"
import { claimedAdministrators } from "./administrators.ts"
import { loadArgon2 } from "./argon2.ts"
import { assertNotBreached } from "./breached-passwords.ts"
import { callerOf } from "./caller.ts"
import { hashPassword } from "./passwords.ts"
import { preferredLocale } from "./preferred-locale.ts"
import { pageQuery } from "./schema.ts"
import { newUserInvitation } from "./user-invitation-schema.ts"
import {
  acceptUserInvitation,
  inviteUser,
  listUserInvitations,
  revokeUserInvitation,
} from "./user-invitations.ts"

/** Mounted at the root: `/auth/invitations…`, those to the deployment. */
export const userInvitationRoutes = new Hono<Http>()
  .post("/auth/invitations", claimedAdministrators, jsonBody(newUserInvitation), async (c) => {
    const made = await inviteUser(c.get("app"), c.get("actor"), c.req.valid("json"))
    return c.json(made, 201)
  })

  .get("/auth/invitations", claimedAdministrators, queryOf(pageQuery), async (c) => {
    const asked = pageOfQuery(c.req.valid("query"))
    const page = await listUserInvitations(c.get("app"), c.get("actor"), asked)
    return c.json(page, 200, nextLink(c.req.url, page))
  })

  .delete("/auth/invitations/:id", claimedAdministrators, async (c) => {
    const id = c.req.param("id")
    if (!isId(id)) throw new Problem("not_found")
    await revokeUserInvitation(c.get("app"), c.get("actor"), id)
    return c.body(null, 204)
  })

  .post("/auth/invitations/confirmations", jsonBody(passwordResetConfirmation), async (c) => {
    const { token, password } = c.req.valid("json")
    await assertNotBreached(password)
    const app = c.get("app")
    await acceptUserInvitation(app, token, {
      passwordHash: () => hashPassword(loadArgon2(), password, app.settings.passwordPeppers),
      locale: preferredLocale(c.req.header("accept-language")),
      caller: callerOf(c.req.raw),
    })
    return c.body(null, 204)
  })
