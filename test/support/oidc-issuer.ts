import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Provider } from "oidc-provider"

/** An OpenID provider that nobody here wrote (certified, by panva), on the loopback interface. */
export interface OidcIssuer {
  readonly url: string
  stop(): Promise<void>
}

interface Client {
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUris: readonly string[]
}

/** Whoever signs in there has the address `<login>@example.org`, verified unless the login says otherwise. */
const claimsOf = (login: string) => ({
  sub: login,
  name: `${login.charAt(0).toUpperCase()}${login.slice(1)}`,
  email: `${login}@example.org`,
  email_verified: !login.startsWith("unverified"),
})

/** It demands PKCE, names itself in its redirect (RFC 9207), and keeps the address out of its tokens, as it does by default. */
export async function startOidcIssuer({
  clientId,
  clientSecret,
  redirectUris,
}: Client): Promise<OidcIssuer> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(url, {
    clients: [
      { client_id: clientId, client_secret: clientSecret, redirect_uris: [...redirectUris] },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (_, id) => ({ accountId: id, claims: () => claimsOf(id) }),
    pkce: { required: () => true },
    cookies: { keys: ["of this test alone"] },
    ttl: { Session: 3_600, Interaction: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
  })
  server.on("request", provider.callback())
  return {
    url,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
