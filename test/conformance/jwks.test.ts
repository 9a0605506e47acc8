import { createLocalJWKSet, jwtVerify } from "jose"
import { expect, test } from "vitest"
import { call, json, signedIn } from "../core/identity/cast.ts"

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
