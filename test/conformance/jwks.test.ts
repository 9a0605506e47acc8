import { createLocalJWKSet, exportJWK, generateKeyPair, type JSONWebKeySet, jwtVerify } from "jose"
import { expect, test } from "vitest"
import { bindings, call, json, signedIn } from "../core/identity/cast.ts"

test("jose verifies our access token from our published keys", async () => {
  const { accessToken, user } = await signedIn("jose")
  const answer = await call("/.well-known/jwks.json")
  expect(answer.headers.get("cache-control")).toBe("public, max-age=300")
  const keys = createLocalJWKSet(await json(answer, 200))
  const { payload, protectedHeader } = await jwtVerify(accessToken, keys, {
    issuer: "hinterland",
    audience: "hinterland",
    typ: "at+jwt",
    algorithms: ["EdDSA"],
    requiredClaims: ["sub", "sid", "iat", "exp", "epoch"],
  })
  expect(payload.sub).toBe(user.id)
  expect(protectedHeader).toEqual({ alg: "EdDSA", typ: "at+jwt", kid: "test-1" })
})

test("after a rotation jose verifies tokens of both keys, by the keys as they are published then", async () => {
  const { accessToken, refreshToken } = await signedIn("rotated")
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true })
  const { x, d } = await exportJWK(privateKey)
  const fresh = { kid: "test-2", kty: "OKP", crv: "Ed25519", x, d }
  const env = {
    ...bindings,
    SIGNING_KEYS: JSON.stringify([fresh, ...JSON.parse(bindings.SIGNING_KEYS)]),
  }
  const next = await json<{ accessToken: string }>(
    call("/auth/tokens", { body: { refreshToken }, env }),
    200,
  )
  const published = await json<JSONWebKeySet>(call("/.well-known/jwks.json", { env }), 200)
  const before = await json<JSONWebKeySet>(call("/.well-known/jwks.json"), 200)
  const verified = (token: string, keys: JSONWebKeySet) =>
    jwtVerify(token, createLocalJWKSet(keys), { issuer: "hinterland", audience: "hinterland" })
  expect((await verified(accessToken, published)).protectedHeader.kid).toBe("test-1")
  expect((await verified(next.accessToken, published)).protectedHeader.kid).toBe("test-2")
  await expect(verified(next.accessToken, before)).rejects.toMatchObject({
    code: "ERR_JWKS_NO_MATCHING_KEY",
  })
  // Nobody is signed out: the old token goes on, and what it leads to is signed anew.
  await json(call("/auth/me", { token: accessToken, env }), 200)
})

test("the published keys are public", async () => {
  const { keys } = await json<{ keys: object[] }>(call("/.well-known/jwks.json"), 200)
  expect(keys).toEqual([
    {
      kid: "test-1",
      kty: "OKP",
      crv: "Ed25519",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
      alg: "EdDSA",
      use: "sig",
    },
  ])
})
