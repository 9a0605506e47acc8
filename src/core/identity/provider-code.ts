import { Buffer } from "node:buffer"
import * as z from "zod"
import type { App } from "../../platform/app.ts"
import type { IdentityProvider } from "../../platform/identity-provider-settings.ts"
import { codeRefused } from "./proofs.ts"
import { askProvider, providerFailed } from "./provider-http.ts"
import type { ProviderMetadata } from "./provider-metadata.ts"

/** What a provider gives for a code. Neither is kept: they are asked once who the person is, and forgotten. */
export interface ProviderTokens {
  readonly accessToken: string
  readonly identityToken: string | null
}

export interface GivenCode {
  readonly code: string
  /** As at the beginning (RFC 6749, 4.1.3). */
  readonly redirectUri: string
  /** What the challenge of the beginning was made of (RFC 7636). */
  readonly verifier: string
}

const tokenAnswer = z.union([
  z.object({ error: z.string() }),
  z.object({ access_token: z.string().min(1), id_token: z.string().min(1).optional() }),
])

/** Errors that say that the code is not good, or not any more; all others are for whoever runs the deployment. */
const badCode = new Set(["invalid_grant", "bad_verification_code"])

/** What may stand in the log: a provider could put anything in its place. */
const knownErrors = new Set([
  "invalid_request",
  "invalid_client",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "incorrect_client_credentials",
  "redirect_uri_mismatch",
])

/** @throws {Problem} `code_invalid`, `provider_failed` */
export async function exchangeCode(
  app: App,
  provider: IdentityProvider,
  metadata: ProviderMetadata,
  { code, redirectUri, verifier }: GivenCode,
): Promise<ProviderTokens> {
  const { headers, fields } = await authentication(app, provider, metadata)
  const answer = await askProvider(app, provider, {
    step: "token",
    url: metadata.tokenEndpoint,
    shape: tokenAnswer,
    alsoStatuses: [400, 401, 403],
    init: {
      method: "POST",
      headers,
      body: new URLSearchParams({
        grant_type: "authorization_code",
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        ...fields,
      }),
    },
  })
  if ("error" in answer) {
    if (badCode.has(answer.error)) throw codeRefused()
    const reason = knownErrors.has(answer.error) ? answer.error : "it refuses"
    throw providerFailed(app, provider, "token", reason)
  }
  return { accessToken: answer.access_token, identityToken: answer.id_token ?? null }
}

/** How we say who we are. @see RFC 6749, 2.3.1 */
async function authentication(
  app: App,
  provider: IdentityProvider,
  { clientAuthentications }: ProviderMetadata,
): Promise<{ headers: Record<string, string>; fields: Record<string, string> }> {
  const { clientId } = provider
  if (provider.kind === "apple") {
    const { appleClientSecret } = await import("./identity-token.ts")
    const secret = await appleClientSecret(provider, app.now()).catch(() => {
      throw providerFailed(app, provider, "token", "the private key cannot be read")
    })
    return { headers: {}, fields: { client_id: clientId, client_secret: secret } }
  }
  const { clientSecret } = provider
  if (clientSecret === undefined) return { headers: {}, fields: { client_id: clientId } }
  const told = provider.kind === "oidc" ? provider.clientAuthentication : undefined
  const basic = told
    ? told === "client_secret_basic"
    : clientAuthentications.includes("client_secret_basic") ||
      !clientAuthentications.includes("client_secret_post")
  if (!basic) return { headers: {}, fields: { client_id: clientId, client_secret: clientSecret } }
  const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`
  return {
    headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}` },
    fields: {},
  }
}

const formEncoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1)
