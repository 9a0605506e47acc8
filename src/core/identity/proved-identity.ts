import type { JSONWebKeySet } from "jose"
import * as z from "zod"
import type { App } from "../../platform/app.ts"
import type { IdentityProvider } from "../../platform/identity-provider-settings.ts"
import type { Claims } from "./identity-token.ts"
import { codeRefused } from "./proofs.ts"
import { exchangeCode, type GivenCode, type ProviderTokens } from "./provider-code.ts"
import { askProvider, providerFailed } from "./provider-http.ts"
import {
  keysOf,
  metadataOf,
  microsoftConsumers,
  type ProviderMetadata,
} from "./provider-metadata.ts"
import { emailAddress, personName } from "./schema.ts"

/** Somebody, as a provider has just proved them to be. */
export interface ProvedIdentity {
  /** Name of the provider in the settings. */
  readonly provider: string
  /** With `subject` unique for ever (OIDC Core, 5.7), whatever the provider is called here. */
  readonly issuer: string
  readonly subject: string
  /** Null unless the provider says that the address was verified: others are worth nothing here. */
  readonly verifiedEmail: string | null
  readonly name: string | null
}

interface Proof extends GivenCode {
  /** What the identity token has to repeat. */
  readonly nonce: string
}

/**
 * Exchanges the code of a redirect for who the person is. Two to four requests to the provider, no trip.
 *
 * @throws {Problem} `code_invalid`, `provider_failed`
 */
export async function proveIdentity(
  app: App,
  provider: IdentityProvider,
  proof: Proof,
): Promise<ProvedIdentity> {
  const metadata = await metadataOf(app, provider)
  const tokens = await exchangeCode(app, provider, metadata, proof)
  if (provider.kind === "github") return githubIdentity(app, provider, metadata, tokens)
  const claims = await identityClaims(app, provider, metadata, tokens, proof.nonce)
  const described = await withUserinfo(app, provider, metadata, tokens, claims)
  return {
    provider: provider.name,
    issuer: claims.iss,
    subject: claims.sub,
    verifiedEmail: isVerified(provider, described) ? emailOf(described.email) : null,
    name: nameOf(described.name),
  }
}

/** A token that names a key which is new to us is looked at twice, with the keys of now. */
async function identityClaims(
  app: App,
  provider: IdentityProvider,
  { issuer, jwksUri }: ProviderMetadata,
  { identityToken }: ProviderTokens,
  nonce: string,
): Promise<Claims> {
  if (identityToken === null || jwksUri === null) {
    throw providerFailed(app, provider, "identityToken", "there is none")
  }
  const { verifyIdentityToken } = await import("./identity-token.ts")
  const expected = { issuer, clientId: provider.clientId, nonce, now: app.now() }
  const verify = (keys: JSONWebKeySet) => verifyIdentityToken(identityToken, keys, expected)
  const first = await verify(await keysOf(app, provider, jwksUri, false))
  const verdict =
    first.kind === "unknownKey" ? await verify(await keysOf(app, provider, jwksUri, true)) : first
  switch (verdict.kind) {
    case "verified":
      if (isForeignTenant(provider, verdict.claims)) break
      return verdict.claims
    case "foreign":
      throw codeRefused()
    case "unknownKey":
      throw providerFailed(app, provider, "identityToken", "its key is unknown")
    case "refused":
      throw providerFailed(app, provider, "identityToken", verdict.reason)
  }
  throw providerFailed(app, provider, "identityToken", "its tenant may not come")
}

/** Where only work and school accounts may come, personal ones may not, whoever signs for them. */
const isForeignTenant = (provider: IdentityProvider, { tid }: Claims): boolean =>
  provider.kind === "microsoft" && provider.tenant === "organizations" && tid === microsoftConsumers

const userinfo = z.looseObject({ sub: z.string() })

/** Some issuers keep the address out of the token, and tell it apart. */
async function withUserinfo(
  app: App,
  provider: IdentityProvider,
  { userinfoEndpoint }: ProviderMetadata,
  { accessToken }: ProviderTokens,
  claims: Claims,
): Promise<Record<string, unknown>> {
  if (provider.kind !== "oidc" || claims.email !== undefined || userinfoEndpoint === null) {
    return claims
  }
  const said = await askProvider(app, provider, {
    step: "profile",
    url: userinfoEndpoint,
    shape: userinfo,
    init: { headers: { authorization: `Bearer ${accessToken}` } },
  })
  // OIDC Core, 5.3.2: else it may speak of another.
  if (said.sub !== claims.sub) {
    throw providerFailed(app, provider, "profile", "it is of somebody else")
  }
  return { ...said, ...claims }
}

/**
 * Microsoft lets administrators of any tenant write any address into their accounts: only `xms_edov` says that the tenant
 * owns its domain. Apple, and some others, write `true` as text.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization
 */
function isVerified(provider: IdentityProvider, claims: Record<string, unknown>): boolean {
  if (provider.kind === "microsoft") {
    return [true, 1, "1", "true"].includes(claims.xms_edov as string)
  }
  return claims.email_verified === true || claims.email_verified === "true"
}

const emailOf = (value: unknown): string | null => emailAddress.safeParse(value).data ?? null

/** For show only. */
export const nameOf = (value: unknown): string | null => personName.safeParse(value).data ?? null

const githubUser = z.object({ id: z.int().positive(), name: z.string().nullish() })
const githubEmails = z.array(
  z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }),
)

/** GitHub speaks OAuth without OIDC: who it is, its API says. @see https://docs.github.com/rest/users/emails */
async function githubIdentity(
  app: App,
  provider: IdentityProvider,
  { issuer }: ProviderMetadata,
  { accessToken }: ProviderTokens,
): Promise<ProvedIdentity> {
  const init = { headers: { authorization: `Bearer ${accessToken}` } }
  const [user, emails] = await Promise.all([
    askProvider(app, provider, {
      step: "profile",
      url: "https://api.github.com/user",
      shape: githubUser,
      init,
    }),
    askProvider(app, provider, {
      step: "profile",
      url: "https://api.github.com/user/emails",
      shape: githubEmails,
      init,
    }),
  ])
  const primary = emails.find((one) => one.primary && one.verified)
  return {
    provider: provider.name,
    issuer,
    subject: String(user.id),
    verifiedEmail: primary ? emailOf(primary.email) : null,
    name: nameOf(user.name),
  }
}
