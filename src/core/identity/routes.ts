import { type Context, Hono } from "hono"
import type { App } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem, problemResponse } from "../../platform/problem.ts"
import { parseJson, parseWith, readJson, readText } from "../../platform/validate.ts"
import { signInForm } from "./account-schema.ts"
import { assertAdministratorCode } from "./administrator-code.ts"
import { openAnonymousSession } from "./anonymous-sessions.ts"
import { countUpgrade, takeCredentials } from "./anonymous-upgrade.ts"
import { loadArgon2 } from "./argon2.ts"
import { assertNotBreached } from "./breached-passwords.ts"
import { callerOf } from "./caller.ts"
import { assertHuman, captchaHeader } from "./captcha.ts"
import { clearedCookies, findCookie, refreshCookie, sessionCookies } from "./cookies.ts"
import { answerWith, factorRoutes } from "./factor-routes.ts"
import { challengeAnswer, isChallengeAnswer } from "./factor-schema.ts"
import { signInByCode, signInByLink } from "./mail-sign-in.ts"
import { hashPassword } from "./passwords.ts"
import { preferredLocale } from "./preferred-locale.ts"
import { providerRoutes, signInByProvider } from "./provider-routes.ts"
import { isProviderAnswer, providerCredentials } from "./provider-schema.ts"
import { assertOwnOrigin } from "./same-origin.ts"
import {
  mePatch,
  newAdministrator,
  newAnonymousSession,
  newCredentials,
  newUser,
  pageQuery,
  refreshRequest,
} from "./schema.ts"
import { endSession, listSessions, refresh, signIn, type Tokens } from "./sessions.ts"
import { countSignUp, signUp } from "./sign-up.ts"
import { withSession } from "./signed-in.ts"
import { publicKeys } from "./signing-keys.ts"
import { createFirstAdministrator, getMe, renameMe } from "./users.ts"

const patchTypes = ["application/json", "application/merge-patch+json"]

/** Mounted at the root: `/auth/…` and `/.well-known/jwks.json`. */
export const identityRoutes = new Hono<Http>()

  .post("/auth/users", jsonBody(newUser), async (c) => {
    const { email, password, name = null } = c.req.valid("json")
    await assertNotBreached(password)
    const app = c.get("app")
    const caller = callerOf(c.req.raw)
    await assertHuman(app, "sign-up", c.req.header(captchaHeader) ?? null, caller)
    await countSignUp(app, caller)
    const passwordHash = hashPassword(loadArgon2(), password, app.settings.passwordPeppers)
    const locale = preferredLocale(c.req.header("accept-language"))
    const user = await signUp(app, { email, passwordHash, name, locale, caller })
    return c.json(user, 201, { location: "/auth/me" })
  })

  .post("/auth/administrators", jsonBody(newAdministrator), async (c) => {
    const app = c.get("app")
    const { code, email, password, name = null } = c.req.valid("json")
    assertAdministratorCode(app.settings, code)
    await assertNotBreached(password)
    const passwordHash = hashPassword(loadArgon2(), password, app.settings.passwordPeppers)
    const user = await createFirstAdministrator(app, { email, passwordHash, name })
    if (!user) throw new Problem("forbidden", "This deployment has an administrator already.")
    return c.json(user, 201, { location: "/auth/me" })
  })

  .post("/auth/sessions", async (c) => {
    const body = await readJson(c.req.raw)
    const answer = await signInWith(c.get("app"), c.req.raw, body)
    setSessionCookies(c, answer)
    return c.json(answer, 201)
  })

  .post("/auth/tokens", async (c) => {
    const { refreshToken } = await refreshBody(c.req.raw)
    if (refreshToken !== undefined) {
      const tokens = await refresh(c.get("app"), refreshToken)
      setSessionCookies(c, tokens)
      return c.json(tokens)
    }
    const cookie = findCookie(c.req.header("cookie") ?? null, refreshCookie)
    if (cookie === null) throw new Problem("unauthenticated", "There is no refresh token.")
    assertOwnOrigin(c.req.raw, c.get("app").settings)
    return refreshByCookie(c, cookie)
  })

  .get("/auth/sessions", withSession, queryOf(pageQuery), async (c) => {
    const page = await listSessions(c.get("app"), c.get("actor"), pageOfQuery(c.req.valid("query")))
    return c.json(page, 200, nextLink(c.req.url, page))
  })

  .delete("/auth/sessions/:id", withSession, async (c) => {
    const actor = c.get("actor")
    const asked = c.req.param("id")
    const session = asked === "current" ? actor.session : asked
    await endSession(c.get("app"), actor, session)
    if (session === actor.session) setCookies(c, clearedCookies)
    return c.body(null, 204)
  })

  .get("/auth/me", withSession, async (c) => c.json(await getMe(c.get("app"), c.get("actor"))))

  .patch("/auth/me", withSession, jsonBody(mePatch, patchTypes), async (c) => {
    const app = c.get("app")
    const actor = c.get("actor")
    const { name } = c.req.valid("json")
    return c.json(name === undefined ? await getMe(app, actor) : await renameMe(app, actor, name))
  })

  .post("/auth/me/credentials", withSession, jsonBody(newCredentials), async (c) => {
    const { email, password, name } = c.req.valid("json")
    const actor = c.get("actor")
    // Before the hash, which is slow.
    if (!actor.anonymous) throw new Problem("conflict", "This account has credentials already.")
    await assertNotBreached(password)
    const app = c.get("app")
    const caller = callerOf(c.req.raw)
    await countUpgrade(app, actor, caller)
    const passwordHash = hashPassword(loadArgon2(), password, app.settings.passwordPeppers)
    const draft = { email, passwordHash, name }
    return c.json(await takeCredentials(app, actor, draft, caller), 201, { location: "/auth/me" })
  })

  .get("/.well-known/jwks.json", (c) =>
    c.json(publicKeys(c.get("app").settings), 200, { "cache-control": "public, max-age=300" }),
  )

  .route("/", factorRoutes)
  .route("/", providerRoutes)

/** An empty body stands for the cookie: a browser's script cannot read the token to send it. */
async function refreshBody(request: Request): Promise<{ refreshToken?: string | undefined }> {
  if (request.body === null || request.headers.get("content-length") === "0") return {}
  const text = await readText(request)
  return text.trim() === "" ? {} : parseWith(refreshRequest, parseJson(text))
}

/** A cookie that is good for nothing any more is taken back, so that the browser does not come with it again. */
async function refreshByCookie(c: Context<Http>, cookie: string): Promise<Response> {
  try {
    const tokens = await refresh(c.get("app"), cookie)
    setSessionCookies(c, tokens)
    return c.json(tokens)
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "token_invalid") throw error
    const response = problemResponse(error, c.get("app").requestId)
    for (const cleared of clearedCookies) response.headers.append("set-cookie", cleared)
    return response
  }
}

type Answer = Pick<Context, "header">

const setSessionCookies = (c: Answer, tokens: Tokens): void =>
  setCookies(c, sessionCookies(tokens.accessToken, tokens.refreshToken))

function setCookies(c: Answer, cookies: readonly string[]): void {
  for (const cookie of cookies) c.header("set-cookie", cookie, { append: true })
}

const isObject = (body: unknown): body is object => typeof body === "object" && body !== null

/** By what the body has: a challenge that is answered, what a provider sent, what was mailed, a password; or that it is nobody yet. */
async function signInWith(app: App, request: Request, body: unknown) {
  if (isChallengeAnswer(body)) return answerWith(app, request, parseWith(challengeAnswer, body))
  if (isProviderAnswer(body)) {
    return signInByProvider(app, request, parseWith(providerCredentials, body))
  }
  const caller = callerOf(request)
  const answer = request.headers.get(captchaHeader)
  if (isObject(body) && "kind" in body) {
    parseWith(newAnonymousSession, body)
    const locale = preferredLocale(request.headers.get("accept-language") ?? undefined)
    return openAnonymousSession(app, locale, caller, answer)
  }
  const form = parseWith(signInForm(body), body)
  if ("password" in form) return signIn(app, loadArgon2(), form, caller, answer)
  return "code" in form ? signInByCode(app, form, caller) : signInByLink(app, form.token, caller)
}
