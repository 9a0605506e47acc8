import { type Context, Hono } from "hono"
import type { Http } from "../../platform/http.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { deleteAccount } from "./account-deletion.ts"
import { type DeleteOwnRecords, exportAccount, type OwnRecords } from "./account-export.ts"
import { linkKinds } from "./account-links.ts"
import {
  accountPatch,
  addressed,
  emailChange,
  eventQuery,
  newImpersonation,
  ownRecordsQuery,
  passwordChange,
  passwordResetConfirmation,
  tokenConfirmation,
  userQuery,
} from "./account-schema.ts"
import { claimedAdministrators } from "./administrators.ts"
import { loadArgon2 } from "./argon2.ts"
import { listEvents, listOwnEvents } from "./audit-log.ts"
import { assertNotBreached } from "./breached-passwords.ts"
import { callerOf } from "./caller.ts"
import { assertHuman, type CaptchaAction, captchaHeader } from "./captcha.ts"
import { clearedCookies } from "./cookies.ts"
import { confirmEmailChange, requestEmailChange, undoEmailChange } from "./email-changes.ts"
import { confirmVerification, requestVerification } from "./email-verifications.ts"
import { linkPage, linkPagePolicy } from "./link-page.ts"
import { requestMailCode } from "./mail-sign-in.ts"
import { changePassword } from "./password-changes.ts"
import { confirmPasswordReset, requestPasswordReset } from "./password-resets.ts"
import { hashPassword } from "./passwords.ts"
import { preferredLocale } from "./preferred-locale.ts"
import { pageQuery } from "./schema.ts"
import { signedIn, withSession } from "./signed-in.ts"
import { assertRecent } from "./step-up.ts"
import {
  changeAccount,
  endAllSessionsOf,
  forcePasswordReset,
  getAccount,
  impersonate,
  listAccounts,
  listSessionsOf,
} from "./user-administration.ts"
import { userInvitationRoutes } from "./user-invitation-routes.ts"

interface AccountRoutesOptions {
  /** For the export of one's own data. */
  readonly ownRecords: OwnRecords
  /** For their deletion. */
  readonly deleteOwnRecords: DeleteOwnRecords
}

const patchTypes = ["application/json", "application/merge-patch+json"]

/** Mounted at the root: what people do with their accounts, and administrators with those of others. */
export const accountRoutes = (options: AccountRoutesOptions): Hono<Http> =>
  new Hono<Http>()
    .route("/", pages)
    .route("/", mailed)
    .route("/", own(options))
    .route("/", administration)
    .route("/", userInvitationRoutes)

/** The token in a link's address is no secret of the page, but of whoever opens it: nobody else learns where it led. */
const pages = new Hono<Http>().get("/auth/links/:kind", (c) => {
  const kind = linkKinds.find((one) => one === c.req.param("kind"))
  if (!kind) throw new Problem("not_found")
  const locale = preferredLocale(c.req.header("accept-language")) ?? "en"
  return c.body(linkPage(kind, locale), 200, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": linkPagePolicy,
    "referrer-policy": "no-referrer",
  })
})

const assertCallerHuman = (c: Context<Http>, action: CaptchaAction): Promise<void> =>
  assertHuman(c.get("app"), action, c.req.header(captchaHeader) ?? null, callerOf(c.req.raw))

/** By mail: asked for by anybody, confirmed by whoever holds the link. */
const mailed = new Hono<Http>()
  .post("/auth/password-resets", jsonBody(addressed), async (c) => {
    await assertCallerHuman(c, "password-reset")
    await requestPasswordReset(c.get("app"), c.req.valid("json").email, callerOf(c.req.raw))
    return c.body(null, 202)
  })

  .post("/auth/password-resets/confirmations", jsonBody(passwordResetConfirmation), async (c) => {
    const { token, password } = c.req.valid("json")
    await assertNotBreached(password)
    const hash = () => hashPassword(loadArgon2(), password, c.get("app").settings.passwordPeppers)
    await confirmPasswordReset(c.get("app"), token, hash, callerOf(c.req.raw))
    return c.body(null, 204)
  })

  .post("/auth/mail-codes", jsonBody(addressed), async (c) => {
    await assertCallerHuman(c, "mail-code")
    await requestMailCode(c.get("app"), c.req.valid("json").email, callerOf(c.req.raw))
    return c.body(null, 202)
  })

  .post("/auth/email-verifications/confirmations", jsonBody(tokenConfirmation), async (c) => {
    await confirmVerification(c.get("app"), c.req.valid("json").token)
    return c.body(null, 204)
  })

  .post("/auth/email-changes/confirmations", jsonBody(tokenConfirmation), async (c) => {
    await confirmEmailChange(c.get("app"), c.req.valid("json").token)
    return c.body(null, 204)
  })

  .post("/auth/email-changes/undos", jsonBody(tokenConfirmation), async (c) => {
    await undoEmailChange(c.get("app"), c.req.valid("json").token)
    return c.body(null, 204)
  })

const own = ({ ownRecords, deleteOwnRecords }: AccountRoutesOptions): Hono<Http> =>
  new Hono<Http>()
    .post("/auth/email-verifications", signedIn, async (c) => {
      await requestVerification(c.get("app"), c.get("actor"), callerOf(c.req.raw))
      return c.body(null, 202)
    })

    .post("/auth/email-changes", withSession, jsonBody(emailChange), async (c) => {
      const { email } = c.req.valid("json")
      await requestEmailChange(c.get("app"), c.get("actor"), email, callerOf(c.req.raw))
      return c.body(null, 202)
    })

    .post("/auth/password-changes", signedIn, jsonBody(passwordChange), async (c) => {
      const change = c.req.valid("json")
      await assertNotBreached(change.password)
      const caller = callerOf(c.req.raw)
      await changePassword(c.get("app"), loadArgon2(), c.get("actor"), change, caller)
      return c.body(null, 204)
    })

    .get("/auth/me/events", withSession, queryOf(pageQuery), async (c) => {
      const asked = pageOfQuery(c.req.valid("query"))
      const page = await listOwnEvents(c.get("app"), c.get("actor"), asked)
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .get("/auth/me/export", withSession, async (c) => {
      const caller = callerOf(c.req.raw)
      const lines = await exportAccount(c.get("app"), c.get("actor"), caller, ownRecords)
      return c.body(lines, 200, {
        "content-type": "application/x-ndjson",
        "content-disposition": 'attachment; filename="account.ndjson"',
      })
    })

    .delete("/auth/me/records", withSession, queryOf(ownRecordsQuery), async (c) => {
      const [app, actor] = [c.get("app"), c.get("actor")]
      assertRecent(app, actor)
      const cursor = c.req.valid("query").cursor ?? null
      return c.json(await deleteOwnRecords(app, actor, cursor))
    })

    .delete("/auth/me", withSession, async (c) => {
      await deleteAccount(c.get("app"), c.get("actor"), callerOf(c.req.raw))
      for (const cookie of clearedCookies) c.header("set-cookie", cookie, { append: true })
      return c.body(null, 204)
    })

const administration = new Hono<Http>()
  .get("/auth/events", claimedAdministrators, queryOf(eventQuery), async (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query")
    const asked = { ...pageOfQuery({ limit, cursor }), ...filter }
    const page = await listEvents(c.get("app"), c.get("actor"), asked)
    return c.json(page, 200, nextLink(c.req.url, page))
  })

  .get("/auth/users", claimedAdministrators, queryOf(userQuery), async (c) => {
    const { search, kind, ...asked } = c.req.valid("query")
    const app = c.get("app")
    const page = await listAccounts(app, c.get("actor"), { ...pageOfQuery(asked), search, kind })
    return c.json(page, 200, nextLink(c.req.url, page))
  })

  .get("/auth/users/:id", claimedAdministrators, async (c) =>
    c.json(await getAccount(c.get("app"), c.get("actor"), c.req.param("id"))),
  )

  .patch(
    "/auth/users/:id",
    claimedAdministrators,
    jsonBody(accountPatch, patchTypes),
    async (c) => {
      const change = c.req.valid("json")
      return c.json(await changeAccount(c.get("app"), c.get("actor"), c.req.param("id"), change))
    },
  )

  .post("/auth/users/:id/password-resets", claimedAdministrators, async (c) => {
    await forcePasswordReset(c.get("app"), c.get("actor"), c.req.param("id"))
    return c.body(null, 202)
  })

  .get("/auth/users/:id/sessions", claimedAdministrators, queryOf(pageQuery), async (c) => {
    const asked = pageOfQuery(c.req.valid("query"))
    const page = await listSessionsOf(c.get("app"), c.get("actor"), c.req.param("id"), asked)
    return c.json(page, 200, nextLink(c.req.url, page))
  })

  .delete("/auth/users/:id/sessions", claimedAdministrators, async (c) => {
    await endAllSessionsOf(c.get("app"), c.get("actor"), c.req.param("id"))
    return c.body(null, 204)
  })

  // No cookies: the administrator's own session goes on beside it.
  .post(
    "/auth/users/:id/impersonations",
    claimedAdministrators,
    jsonBody(newImpersonation),
    async (c) => {
      const { reason } = c.req.valid("json")
      const caller = callerOf(c.req.raw)
      const id = c.req.param("id")
      return c.json(await impersonate(c.get("app"), c.get("actor"), id, reason, caller), 201)
    },
  )
