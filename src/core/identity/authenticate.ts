import { type Actor, anonymous, type UserActor } from "../../platform/app.ts"
import type { Authenticate } from "../../platform/http.ts"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"
import { verifyAccessToken } from "./access-tokens.ts"
import { verifyApiKey } from "./api-key-actors.ts"
import { keyPrefix } from "./api-key-text.ts"
import { accessCookie, findCookie } from "./cookies.ts"
import { assertOwnOrigin } from "./same-origin.ts"

/**
 * Who sends this request: by `Authorization: Bearer` (a token or an API key), else by the cookie. No trip; whether the token is outdated is asked
 * beside the rows (epoch.ts). Synchronous without a credential, and with one that this isolate has seen before.
 *
 * @throws {Problem} `token_invalid`, `token_expired`; `forbidden` for a cookie that another site's page sent along.
 */
export const authenticate: Authenticate = (request, settings, now) => {
  const header = request.headers.get("authorization")
  if (header !== null) {
    return isEntrance(request) || isPublic(request) ? anonymous : byBearer(header, settings, now)
  }
  const cookies = request.headers.get("cookie")
  if (cookies === null) return anonymous
  const token = findCookie(cookies, accessCookie)
  if (token === null || isEntrance(request) || isPublic(request)) return anonymous
  return byCookie(request, token, settings, now)
}

/** Where sessions begin, a credential is of no use, and a stale one must not stand in the way. */
const entrances =
  /^https?:\/\/[^/]+\/auth\/(?:users|sessions|tokens|administrators|passkeys\/challenges|providers\/[^/?]+\/authorizations|mail-codes|password-resets(?:\/confirmations)?|(?:email-verifications|invitations)\/confirmations|email-changes\/(?:confirmations|undos))\/?(?:[?#]|$)/

const isEntrance = (request: Request): boolean =>
  request.method === "POST" && entrances.test(request.url)

/**
 * Says the same to everybody: a probe or a verifier must not fail on a credential that it brings along, nor a service that
 * proves itself in a way of its own, nor somebody who unsubscribes, or comes back from an identity provider, on the cookie of an old session.
 */
const publicPaths =
  /^https?:\/\/[^/]+\/(?:health|\.well-known\/.*|auth\/providers(?:\/[^/?]+\/callback)?|hooks\/[^/?]+|mail\/(?:unsubscriptions|events\/.*))(?:[?#]|$)/

const isPublic = (request: Request): boolean => publicPaths.test(request.url)

function byBearer(header: string, settings: Settings, now: number): UserActor | Promise<UserActor> {
  if (header.slice(0, 7).toLowerCase() !== "bearer ") throw new Problem("token_invalid")
  const token = header.slice(7).trim()
  // Keys come this way alone: neither in a cookie, where another site's page could use them, nor in an address.
  if (token.startsWith(keyPrefix)) return verifyApiKey(token, settings, now)
  return verifyAccessToken(token, settings, now)
}

function byCookie(
  request: Request,
  token: string,
  settings: Settings,
  now: number,
): Actor | Promise<Actor> {
  const { method } = request
  if (method !== "GET" && method !== "HEAD" && method !== "OPTIONS") {
    assertOwnOrigin(request, settings)
    return verifyAccessToken(token, settings, now)
  }
  try {
    const actor = verifyAccessToken(token, settings, now)
    return actor instanceof Promise ? actor.catch((error) => forPage(request, error)) : actor
  } catch (error) {
    return forPage(request, error)
  }
}

/**
 * A page and its parts open even with a bad cookie (left over from another key, say), as for anyone without; scripts are
 * told, so that they refresh. Browsers say which is which: `fetch` has the destination `empty`.
 */
function forPage(request: Request, error: unknown): Actor {
  const destination = request.headers.get("sec-fetch-dest")
  if (destination !== null && destination !== "empty") return anonymous
  throw error
}
