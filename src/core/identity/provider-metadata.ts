import type { JSONWebKeySet } from "jose"
import * as z from "zod"
import type { App } from "../../platform/app.ts"
import { isLoopback } from "../../platform/cors.ts"
import type { IdentityProvider } from "../../platform/identity-provider-settings.ts"
import { Problem } from "../../platform/problem.ts"
import type { Settings } from "../../platform/settings.ts"
import { askProvider, providerFailed } from "./provider-http.ts"

/** Where a provider is asked for what. */
export interface ProviderMetadata {
  /** With `{tenantid}` where Microsoft admits several tenants. */
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  /** Null for GitHub, which signs nothing. */
  readonly jwksUri: string | null
  readonly userinfoEndpoint: string | null
  readonly clientAuthentications: readonly string[]
  /** Whether it says in its redirect who it is (RFC 9207). */
  readonly namesItself: boolean
}

const github: ProviderMetadata = {
  issuer: "https://github.com/login/oauth",
  authorizationEndpoint: "https://github.com/login/oauth/authorize",
  tokenEndpoint: "https://github.com/login/oauth/access_token",
  jwksUri: null,
  userinfoEndpoint: null,
  clientAuthentications: ["client_secret_post"],
  namesItself: false,
}

/** The tenant of all personal accounts. */
export const microsoftConsumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

const microsoft = (tenant: string): string => `https://login.microsoftonline.com/${tenant}/v2.0`

function issuerOf(provider: Exclude<IdentityProvider, { kind: "github" }>): {
  address: string
  issuer: string
} {
  switch (provider.kind) {
    case "google":
      return same("https://accounts.google.com")
    case "apple":
      return same("https://appleid.apple.com")
    case "oidc":
      return same(provider.issuer)
    case "microsoft": {
      const { tenant } = provider
      const said =
        tenant === "common" || tenant === "organizations"
          ? "{tenantid}"
          : tenant === "consumers"
            ? microsoftConsumers
            : tenant
      return { address: microsoft(tenant), issuer: microsoft(said) }
    }
  }
}

const same = (issuer: string) => ({ address: issuer, issuer })

const address = z.url({ protocol: /^https?$/ })

/** @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata */
const discovered = z.object({
  issuer: z.string(),
  authorization_endpoint: address,
  token_endpoint: address,
  jwks_uri: address,
  userinfo_endpoint: address.optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).default(["client_secret_basic"]),
  authorization_response_iss_parameter_supported: z.boolean().default(false),
})

const keySet = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })).max(100),
})

/**
 * What this isolate has learnt, by name of the provider: as many entries as the deployment has providers. Answers are
 * kept, promises are not: one that was made in another request must not be awaited in this one.
 */
interface Learnt {
  readonly metadata: Answer<ProviderMetadata>
  readonly keys: Answer<JSONWebKeySet>
}
interface Answer<Value> {
  last: { readonly at: number; readonly value: Value } | null
  failedAt: number
}
const learnt = new WeakMap<Settings, Map<string, Learnt>>()

const freshMilliseconds = 60 * 60 * 1_000
/** A provider that is down is believed what it said last, for a day. */
const staleMilliseconds = 24 * freshMilliseconds
/** A token may name a key that we do not know yet; tokens that name none at all must not make us ask each time. */
const keyPauseMilliseconds = 30_000
/** A provider that is down takes its five seconds once, not of everybody who wants to sign in. */
const failurePauseMilliseconds = 15_000

function learntOf(app: App, { name }: IdentityProvider): Learnt {
  const all = learnt.get(app.settings) ?? new Map<string, Learnt>()
  learnt.set(app.settings, all)
  const nothing = { last: null, failedAt: Number.NEGATIVE_INFINITY }
  const known = all.get(name) ?? { metadata: { ...nothing }, keys: { ...nothing } }
  all.set(name, known)
  return known
}

/** No trip; a request to the provider once an hour in each isolate. @throws {Problem} `provider_failed` */
export async function metadataOf(app: App, provider: IdentityProvider): Promise<ProviderMetadata> {
  if (provider.kind === "github") return github
  const { metadata } = learntOf(app, provider)
  return learn(app, metadata, freshMilliseconds, () => discover(app, provider))
}

/** What was answered, while it is fresh; else what is answered now, or while that fails what was answered last. */
async function learn<Value>(
  app: App,
  known: Answer<Value>,
  milliseconds: number,
  ask: () => Promise<Value>,
): Promise<Value> {
  const age = known.last ? app.now() - known.last.at : Number.POSITIVE_INFINITY
  if (known.last && age < milliseconds) return known.last.value
  try {
    const failedLately = app.now() - known.failedAt < failurePauseMilliseconds
    if (failedLately) throw new Problem("provider_failed")
    const value = await ask().catch((error: unknown) => {
      known.failedAt = app.now()
      throw error
    })
    known.last = { at: app.now(), value }
    return value
  } catch (error) {
    if (known.last && age < staleMilliseconds) return known.last.value
    throw error
  }
}

async function discover(
  app: App,
  provider: Exclude<IdentityProvider, { kind: "github" }>,
): Promise<ProviderMetadata> {
  const { address, issuer } = issuerOf(provider)
  const said = await askProvider(app, provider, {
    step: "discovery",
    url: `${address.replace(/\/$/, "")}/.well-known/openid-configuration`,
    shape: discovered,
  })
  // Discovery, 4.3: else one issuer could speak for another.
  if (said.issuer !== issuer) {
    throw providerFailed(app, provider, "discovery", "it says to be another issuer")
  }
  const endpoints = [said.authorization_endpoint, said.token_endpoint, said.jwks_uri]
  if (said.userinfo_endpoint) endpoints.push(said.userinfo_endpoint)
  if (!endpoints.every((one) => isTrusted(app, one))) {
    throw providerFailed(app, provider, "discovery", "an endpoint is not https")
  }
  return {
    issuer,
    authorizationEndpoint: said.authorization_endpoint,
    tokenEndpoint: said.token_endpoint,
    jwksUri: said.jwks_uri,
    userinfoEndpoint: said.userinfo_endpoint ?? null,
    clientAuthentications: said.token_endpoint_auth_methods_supported,
    namesItself: said.authorization_response_iss_parameter_supported,
  }
}

const isTrusted = ({ settings }: App, url: string): boolean =>
  url.startsWith("https:") || (settings.development && isLoopback(url))

/**
 * The provider's public keys. `unknown`: a token names a key that is not among them, so they are asked for anew, unless
 * that was just done.
 *
 * @throws {Problem} `provider_failed`
 */
export async function keysOf(
  app: App,
  provider: IdentityProvider,
  jwksUri: string,
  unknown: boolean,
): Promise<JSONWebKeySet> {
  const { keys } = learntOf(app, provider)
  return learn(app, keys, unknown ? keyPauseMilliseconds : freshMilliseconds, () =>
    askProvider(app, provider, { step: "keys", url: jwksUri, shape: keySet }),
  )
}
