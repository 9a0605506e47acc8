import { accessTokenSeconds } from "./access-tokens.ts"

/*
 * The session of a browser. `__Host-` binds a cookie to this host and to TLS, HttpOnly keeps it from scripts, Lax from
 * most requests of other sites; same-origin.ts refuses the rest.
 */
export const accessCookie = "__Host-access"
export const refreshCookie = "__Host-refresh"
export const refreshSeconds = 30 * 24 * 60 * 60

const attributes = "Path=/; HttpOnly; Secure; SameSite=Lax"

/** Value of the Set-Cookie header of an access token alone, where the refresh token stays as it is. */
export const accessTokenCookie = (accessToken: string): string =>
  `${accessCookie}=${accessToken}; Max-Age=${accessTokenSeconds}; ${attributes}`

/** Values of two Set-Cookie headers. */
export const sessionCookies = (accessToken: string, refreshToken: string): string[] => [
  accessTokenCookie(accessToken),
  `${refreshCookie}=${refreshToken}; Max-Age=${refreshSeconds}; ${attributes}`,
]

/** Values of the Set-Cookie headers that end the session in the browser. */
export const clearedCookies: readonly string[] = [
  `${accessCookie}=; Max-Age=0; ${attributes}`,
  `${refreshCookie}=; Max-Age=0; ${attributes}`,
]

/** Whether the access token came as the cookie. A program that sends it in a header keeps the next one itself. */
export const cameByCookie = (headers: Headers): boolean =>
  headers.get("authorization") === null && findCookie(headers.get("cookie"), accessCookie) !== null

/** Of somebody who was sent to a provider; named by the state, so that two tabs do not take it from one another. */
const ticketName = (state: string): string => `__Host-ticket-${state.slice(0, 12)}`

/**
 * The browser that sets out, until it comes back.
 *
 * @param posted whether it comes back by a POST of the provider's page, with which no cookie goes but those with
 * `SameSite=None`. It is none that a request of another site could do something with.
 */
export const ticketCookie = (
  state: string,
  ticket: string,
  seconds: number,
  posted: boolean,
): string =>
  `${ticketName(state)}=${ticket}; Path=/; Max-Age=${seconds}; HttpOnly; Secure; SameSite=${posted ? "None" : "Lax"}`

export const clearedTicket = (state: string): string =>
  `${ticketName(state)}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax`

export const findTicket = (header: string | null, state: string): string | null =>
  /^[\w-]{43}$/.test(state) ? findCookie(header, ticketName(state)) : null

/** The value of one cookie of a Cookie header, or null. Tokens need no decoding. */
export function findCookie(header: string | null, name: string): string | null {
  if (header === null) return null
  for (const pair of header.split(";")) {
    const at = pair.indexOf("=")
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || null
  }
  return null
}
