import { type Context, Hono } from "hono"
import type { App } from "../../platform/app.ts"
import { isAllowedOrigin } from "../../platform/cors.ts"
import type { Http } from "../../platform/http.ts"
import type { IdentityProvider } from "../../platform/identity-provider-settings.ts"
import { jsonBody } from "../../platform/input.ts"
import { Problem } from "../../platform/problem.ts"
import { parseWith, readText } from "../../platform/validate.ts"
import {
  authorizationSeconds,
  type Begun,
  beginAuthorization,
  completeAuthorization,
  type Destination,
  type Linking,
  openTicket,
  providerNamed,
  type Returned,
  type Ticket,
} from "./authorizations.ts"
import { callerOf } from "./caller.ts"
import { challengeRefused, spendChallenge } from "./challenges.ts"
import { clearedTicket, findTicket, sessionCookies, ticketCookie } from "./cookies.ts"
import { beginLinking, linkIdentity, listIdentities, unlinkIdentity } from "./identities.ts"
import { signInWithIdentity } from "./identity-sign-in.ts"
import { preferredLocale } from "./preferred-locale.ts"
import { nameOf, type ProvedIdentity } from "./proved-identity.ts"
import {
  appleUser,
  callbackForm,
  callbackQuery,
  newAuthorization,
  newLinkingAuthorization,
  providerCredentials,
} from "./provider-schema.ts"
import { signedIn } from "./signed-in.ts"

/** Sign-in with identity providers: mounted with the routes of identity. */
export const providerRoutes = new Hono<Http>()

  .get("/auth/providers", (c) => {
    const items = c.get("app").settings.identityProviders.map(({ name, kind, label }) => ({
      name,
      kind,
      label: label ?? labels[kind] ?? name,
    }))
    return c.json({ items, next: null })
  })

  .post("/auth/providers/:name/authorizations", jsonBody(newAuthorization), async (c) => {
    const app = c.get("app")
    const provider = providerNamed(app, c.req.param("name"))
    assertOwnPage(c)
    const destination = c.req.valid("json")
    const begun = await beginAuthorization(app, provider, destination, null)
    return begin(c, provider, begun, destination)
  })

  .get("/auth/providers/:name/callback", (c) => {
    const { state, ...rest } = parseWith(callbackQuery, c.req.query())
    return comeBack(c, c.req.param("name"), { state, ...rest }, null)
  })

  // Apple posts. The cookies of the session do not come along, only the ticket does.
  .post("/auth/providers/:name/callback", async (c) => {
    const body = await readText(c.req.raw, ["application/x-www-form-urlencoded"])
    const fields = Object.fromEntries(new URLSearchParams(body))
    const { user, ...returned } = parseWith(callbackForm, fields)
    return comeBack(c, c.req.param("name"), returned, user === undefined ? null : appleName(user))
  })

  .post(
    "/auth/identities/authorizations",
    signedIn,
    jsonBody(newLinkingAuthorization),
    async (c) => {
      const app = c.get("app")
      const { provider: name, ...destination } = c.req.valid("json")
      const provider = providerNamed(app, name)
      const begun = await beginLinking(app, c.get("actor"), provider, destination)
      return begin(c, provider, begun, destination)
    },
  )

  .post("/auth/identities", signedIn, jsonBody(providerCredentials), async (c) => {
    const app = c.get("app")
    const { ticket: text, ...returned } = c.req.valid("json")
    const ticket = programTicket(app, text, returned.state)
    // Another's ticket would link their identity to whoever was made to send it.
    if (!isLinking(ticket) || ticket.linking.session !== c.get("actor").session) {
      throw challengeRefused()
    }
    const proved = await completeAuthorization(app, ticket, returned)
    const identity = await linkIdentity(app, ticket, proved, callerOf(c.req.raw))
    return c.json(identity, 201, { location: `/auth/identities/${identity.id}` })
  })

  .get("/auth/identities", signedIn, async (c) =>
    c.json({ items: await listIdentities(c.get("app"), c.get("actor")), next: null }),
  )

  .delete("/auth/identities/:id", signedIn, async (c) => {
    const caller = callerOf(c.req.raw)
    await unlinkIdentity(c.get("app"), c.get("actor"), c.req.param("id"), caller)
    return c.body(null, 204)
  })

/** For `POST /auth/sessions`: a program that has received the code itself. */
export async function signInByProvider(
  app: App,
  request: Request,
  { ticket: text, ...returned }: Returned & { readonly ticket: string },
) {
  const ticket = programTicket(app, text, returned.state)
  if (isLinking(ticket)) throw challengeRefused()
  const proved = await completeAuthorization(app, ticket, returned)
  return enter(app, request, ticket, proved)
}

const labels: Partial<Record<IdentityProvider["kind"], string>> = {
  google: "Google",
  github: "GitHub",
  microsoft: "Microsoft",
  apple: "Apple",
}

/** The cookie would be of no use to a page of another site; that it gets none at all is easier to see. */
function assertOwnPage(c: Context<Http>): void {
  const origin = c.req.header("origin")
  if (origin === undefined || isAllowedOrigin(origin, c.req.url, c.get("app").settings)) return
  throw new Problem("forbidden", "This origin may not sign anybody in.")
}

/** Pages get their ticket in a cookie, out of reach of scripts; programs in the answer. */
function begin(
  c: Pick<Context, "header" | "json">,
  provider: IdentityProvider,
  { url, ticket, state }: Begun,
  { redirectUri }: Destination,
): Response {
  const expiresIn = authorizationSeconds
  if (redirectUri !== undefined) return c.json({ url, ticket, expiresIn }, 201)
  c.header("set-cookie", ticketCookie(state, ticket, expiresIn, provider.kind === "apple"))
  return c.json({ url, ticket: null, expiresIn }, 201)
}

type LinkingTicket = Ticket & { readonly linking: Linking }
const isLinking = (ticket: Ticket): ticket is LinkingTicket => ticket.linking !== null

/** A ticket of a program. Those of pages come by their cookie, and no other way. */
function programTicket(app: App, text: string, state: string): Ticket {
  const ticket = openTicket(app, text, state)
  if (ticket.returnTo !== null) throw challengeRefused()
  return ticket
}

const enter = (app: App, request: Request, ticket: Ticket, proved: ProvedIdentity) =>
  signInWithIdentity(app, proved, {
    caller: callerOf(request),
    locale: preferredLocale(request.headers.get("accept-language") ?? undefined),
    spent: spendChallenge(app, ticket),
  })

/**
 * The person is back in the browser in which they set out: its cookie has the ticket. Whatever comes of it, they go on to
 * the page that they came from; what went wrong stands behind its `#`, where no log and no Referer sees it.
 */
async function comeBack(
  c: Context<Http>,
  name: string,
  returned: Returned,
  appleName: string | null,
): Promise<Response> {
  const app = c.get("app")
  providerNamed(app, name)
  const ticket = pageTicket(app, c.req.raw, name, returned.state)
  c.header("set-cookie", clearedTicket(returned.state), { append: true })
  c.header("referrer-policy", "no-referrer")
  const page = new URL(ticket.returnTo)
  try {
    const proved = await completeAuthorization(app, ticket, returned)
    if (isLinking(ticket)) {
      await linkIdentity(app, ticket, proved, callerOf(c.req.raw))
    } else {
      const named = { ...proved, name: proved.name ?? appleName }
      const tokens = await enter(app, c.req.raw, ticket, named)
      for (const cookie of sessionCookies(tokens.accessToken, tokens.refreshToken)) {
        c.header("set-cookie", cookie, { append: true })
      }
    }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    page.hash = fragmentOf(error)
  }
  return c.redirect(page.href, 303)
}

/** @throws {Problem} `token_invalid` */
function pageTicket(
  app: App,
  request: Request,
  name: string,
  state: string,
): Ticket & { readonly returnTo: string } {
  const text = findTicket(request.headers.get("cookie"), state)
  if (text === null) throw challengeRefused()
  const ticket = openTicket(app, text, state)
  const { returnTo } = ticket
  // Each provider has an address of its own, so that none can answer for another.
  if (ticket.provider !== name || returnTo === null) throw challengeRefused()
  return { ...ticket, returnTo }
}

/** `error`, and where a second factor is asked for, what a page needs to show it. */
function fragmentOf({ code, details }: Problem): string {
  const fragment = new URLSearchParams({ error: code })
  const { challenge, methods } = details.extensions ?? {}
  if (typeof challenge === "string") fragment.set("challenge", challenge)
  if (Array.isArray(methods)) fragment.set("methods", methods.join(" "))
  return fragment.toString()
}

/** What Apple says of a name, by way of the browser: for show only, so whatever else it is, is none. */
function appleName(text: string): string | null {
  try {
    const { name } = appleUser.parse(JSON.parse(text))
    return nameOf(`${name.firstName} ${name.lastName}`)
  } catch {
    return null
  }
}
