import { Buffer } from "node:buffer"
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { App, UserActor } from "../../platform/app.ts"
import { isLoopback } from "../../platform/cors.ts"
import type { IdentityProvider } from "../../platform/identity-provider-settings.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"
import { type Challenge, challengeRefused, createChallenge, openChallenge } from "./challenges.ts"
import { codeRefused } from "./proofs.ts"
import { type ProvedIdentity, proveIdentity } from "./proved-identity.ts"
import { metadataOf } from "./provider-metadata.ts"

/*
 * The way to a provider and back (RFC 6749, 4.1; OIDC Core, 3.1). Whoever sets out gets a ticket: a challenge that says
 * where to and what for, and that stays with them, in a cookie or in their program. The provider and the addresses see
 * three values that HMAC derives from it: the `state`, so that only whoever set out can come back; the PKCE verifier, so
 * that a code is of no use without the ticket; the nonce, so that nobody can slip in a code of another sign-in. Nothing
 * is stored until the ticket is used up.
 */

/** What a ticket says beside whose it is. */
export interface Authorization {
  readonly provider: string
  /** Where the provider sends the person, and the code. */
  readonly redirectUri: string
  /** The page of ours that they come from, and go back to; null where a program waits at `redirectUri` itself. */
  readonly returnTo: string | null
  /** In whose session an identity is to be linked. Null to sign in. */
  readonly linking: Linking | null
}

/** Of the session that set out: as much of its actor as its way back needs. */
export interface Linking
  extends Pick<UserActor, "id" | "session" | "epoch" | "methods" | "authenticatedAt"> {
  /** Language of the mail that tells of it. */
  readonly locale: string | null
}

export type Ticket = Challenge<"authorization">

/** Long enough to find a password, and a second factor, at the provider. */
export const authorizationSeconds = 10 * 60

export interface Destination {
  readonly returnTo?: string | undefined
  readonly redirectUri?: string | undefined
}

export interface Begun {
  /** Where the person goes, in their browser. */
  readonly url: string
  readonly ticket: string
  readonly state: string
}

/** @throws {Problem} `not_found` */
export function providerNamed({ settings }: App, name: string): IdentityProvider {
  const found = settings.identityProviders.find((one) => one.name === name)
  if (!found) throw new Problem("not_found", "This deployment has no such identity provider.")
  return found
}

/**
 * No trip; a request to the provider when this isolate does not know it yet.
 *
 * @throws {Problem} `invalid_input` for a destination that is not the deployment's; `provider_failed`
 */
export async function beginAuthorization(
  app: App,
  provider: IdentityProvider,
  destination: Destination,
  linking: Linking | null,
): Promise<Begun> {
  const { settings } = app
  const { authorizationEndpoint } = await metadataOf(app, provider)
  const whereTo = destinationOf(settings, provider, destination)
  const authorization = { provider: provider.name, ...whereTo, linking }
  const ticket = createChallenge(app, "authorization", authorization, authorizationSeconds)
  const state = derived(app, ticket, "state")
  const verifier = derived(app, ticket, "verifier")
  const url = new URL(authorizationEndpoint)
  const parameters = {
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: whereTo.redirectUri,
    scope: (provider.scopes ?? defaultScopes[provider.kind]).join(" "),
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...(provider.kind !== "github" && { nonce: derived(app, ticket, "nonce") }),
    // Apple tells a name or an address in no other way.
    ...(provider.kind === "apple" && { response_mode: "form_post" }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return { url: url.href, ticket, state }
}

const openid = ["openid", "email", "profile"]
const defaultScopes: Readonly<Record<IdentityProvider["kind"], readonly string[]>> = {
  google: openid,
  microsoft: openid,
  oidc: openid,
  apple: ["openid", "email", "name"],
  github: ["read:user", "user:email"],
}

/** 43 characters, as RFC 7636 asks of a verifier. */
const derived = (app: App, ticket: string, use: "state" | "verifier" | "nonce"): string =>
  createHmac("sha256", app.settings.secret)
    .update(`authorization ${use}\n${ticket}`)
    .digest("base64url")

function destinationOf(
  settings: Settings,
  provider: IdentityProvider,
  { returnTo, redirectUri }: Destination,
): Pick<Authorization, "redirectUri" | "returnTo"> {
  if (redirectUri !== undefined) {
    // Apple posts to it, which a program cannot receive, nor a page.
    const known =
      provider.kind !== "apple" &&
      (provider.redirectUris.includes(redirectUri) || isOurs(settings, redirectUri))
    if (!known) throw notAllowed("redirectUri")
    return { redirectUri, returnTo: null }
  }
  const publicUrl = settings.publicUrl as string
  const page = URL.parse(returnTo ?? "/", publicUrl)
  if (!page || !isOurs(settings, page.href)) throw notAllowed("returnTo")
  if (page.href.length > maxPageLength) throw notAllowed("returnTo")
  return {
    redirectUri: `${publicUrl}/auth/providers/${provider.name}/callback`,
    returnTo: page.href,
  }
}

/** A cookie holds 4,096 bytes, and a ticket has it in base64. */
const maxPageLength = 2_000

/** Nowhere else is anybody sent: neither a code nor a person who trusts our address. */
function isOurs(settings: Settings, url: string): boolean {
  const parsed = URL.parse(url)
  // A `blob:` address has the origin of the page that made it.
  if (!parsed || !/^https?:$/.test(parsed.protocol)) return false
  const { origin, username, password, hash } = parsed
  if (username || password || hash) return false
  return (
    origin === settings.publicUrl ||
    settings.allowedOrigins.includes(origin) ||
    (settings.development && isLoopback(origin))
  )
}

const notAllowed = (path: string): Problem =>
  invalidInput({
    path,
    code: "not_allowed",
    message: `${path} has to be on PUBLIC_URL or ALLOWED_ORIGINS, without a fragment.`,
  })

/** What came back from the provider, by way of the person's browser. */
export interface Returned {
  readonly state: string
  readonly code?: string | undefined
  /** Why there is no code (RFC 6749, 4.1.2.1). */
  readonly error?: string | undefined
  /** Who answers (RFC 9207). */
  readonly iss?: string | undefined
}

/** @throws {Problem} `token_invalid` for a ticket that is not ours, has expired, or is not of this `state` */
export function openTicket(app: App, text: string, state: string): Ticket {
  const ticket = openChallenge(app, text, "authorization")
  const expected = Buffer.from(derived(app, text, "state"))
  const given = Buffer.from(state)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw challengeRefused()
  }
  return ticket
}

/**
 * Who the person is, whom a provider sends back. No trip; for `signInWithIdentity` or `linkIdentity`, which use the ticket
 * up.
 *
 * @throws {Problem} `authorization_denied` when the person or the provider did not want to; `code_invalid`;
 * `provider_failed`; `not_found` for a provider that is gone from the settings
 */
export async function completeAuthorization(
  app: App,
  ticket: Ticket,
  { code, error, iss }: Returned,
): Promise<ProvedIdentity> {
  const provider = providerNamed(app, ticket.provider)
  const metadata = await metadataOf(app, provider)
  // Mix-up (RFC 9700, 4.4): a code must not go to another than who gave it. Each provider has an address of its own, too.
  const names = iss !== undefined && provider.kind !== "github" && provider.kind !== "microsoft"
  if (names ? iss !== metadata.issuer : metadata.namesItself) throw codeRefused()
  if (error !== undefined || code === undefined) {
    app.log("info", "identity provider sent nobody", {
      provider: provider.name,
      denied: denials.has(error ?? ""),
    })
    throw new Problem("authorization_denied")
  }
  return proveIdentity(app, provider, {
    code,
    redirectUri: ticket.redirectUri,
    verifier: derived(app, ticket.text, "verifier"),
    nonce: derived(app, ticket.text, "nonce"),
  })
}

const denials = new Set(["access_denied", "user_cancelled_authorize"])
