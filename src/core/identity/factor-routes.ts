import { Hono } from "hono"
import type { z } from "zod"
import type { App } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { jsonBody } from "../../platform/input.ts"
import { loadArgon2 } from "./argon2.ts"
import {
  confirmAuthenticator,
  deleteAuthenticator,
  listAuthenticators,
  startAuthenticator,
} from "./authenticators.ts"
import { callerOf } from "./caller.ts"
import { answerChallenge } from "./challenge-answers.ts"
import { accessTokenCookie, cameByCookie } from "./cookies.ts"
import {
  authenticatorConfirmation,
  type challengeAnswer,
  newAuthenticator,
  newPasskey,
  newProof,
  passkeyChallenge,
  passkeyPatch,
  passkeyRegistration,
} from "./factor-schema.ts"
import { passkeyOptions } from "./passkey-sign-in.ts"
import {
  addPasskey,
  deletePasskey,
  listPasskeys,
  type NewPasskey,
  registrationOptions,
  renamePasskey,
} from "./passkeys.ts"
import type { GivenFactor } from "./proofs.ts"
import { countRecoveryCodes, replaceRecoveryCodes } from "./recovery-codes.ts"
import { relyingPartyOf } from "./relying-party.ts"
import { proofOptions, renewProof } from "./session-proofs.ts"
import { signedIn } from "./signed-in.ts"
import type { AuthenticationResponseJSON } from "./webauthn.ts"

const patchTypes = ["application/json", "application/merge-patch+json"]

/** What proves, beside a password, that it is the person: mounted with the routes of identity. */
export const factorRoutes = new Hono<Http>()

  .post("/auth/authenticators", signedIn, jsonBody(newAuthenticator), async (c) => {
    const { name } = c.req.valid("json")
    const authenticator = await startAuthenticator(c.get("app"), c.get("actor"), name)
    return c.json(authenticator, 201, { location: `/auth/authenticators/${authenticator.id}` })
  })

  .post(
    "/auth/authenticators/:id/confirmations",
    signedIn,
    jsonBody(authenticatorConfirmation),
    async (c) => {
      const [app, actor] = [c.get("app"), c.get("actor")]
      const { code } = c.req.valid("json")
      const id = c.req.param("id")
      return c.json(await confirmAuthenticator(app, actor, id, code, callerOf(c.req.raw)), 201)
    },
  )

  .get("/auth/authenticators", signedIn, async (c) => {
    const items = await listAuthenticators(c.get("app"), c.get("actor"))
    return c.json({ items, next: null })
  })

  .delete("/auth/authenticators/:id", signedIn, async (c) => {
    const caller = callerOf(c.req.raw)
    await deleteAuthenticator(c.get("app"), c.get("actor"), c.req.param("id"), caller)
    return c.body(null, 204)
  })

  .post("/auth/recovery-codes", signedIn, async (c) => {
    const codes = await replaceRecoveryCodes(c.get("app"), c.get("actor"), callerOf(c.req.raw))
    return c.json(codes, 201)
  })

  .get("/auth/recovery-codes", signedIn, async (c) =>
    c.json(await countRecoveryCodes(c.get("app"), c.get("actor"))),
  )

  .post("/auth/passkeys/registrations", signedIn, jsonBody(passkeyRegistration), async (c) => {
    const app = c.get("app")
    const party = relyingPartyOf(c.req.raw, app.settings)
    const { secondFactor } = c.req.valid("json")
    return c.json(await registrationOptions(app, c.get("actor"), party, secondFactor), 201)
  })

  .post("/auth/passkeys/challenges", jsonBody(passkeyChallenge), async (c) => {
    const app = c.get("app")
    const party = relyingPartyOf(c.req.raw, app.settings)
    return c.json(await passkeyOptions(app, party, c.req.valid("json").challenge), 201)
  })

  .post("/auth/passkeys", signedIn, jsonBody(newPasskey), async (c) => {
    const app = c.get("app")
    const party = relyingPartyOf(c.req.raw, app.settings)
    // Zod's optional members may be undefined, the library's may be absent only: in JSON they are the same.
    const draft = c.req.valid("json") as NewPasskey
    const passkey = await addPasskey(app, c.get("actor"), draft, party, callerOf(c.req.raw))
    return c.json(passkey, 201, { location: `/auth/passkeys/${passkey.id}` })
  })

  .get("/auth/passkeys", signedIn, async (c) =>
    c.json({ items: await listPasskeys(c.get("app"), c.get("actor")), next: null }),
  )

  .patch("/auth/passkeys/:id", signedIn, jsonBody(passkeyPatch, patchTypes), async (c) => {
    const { name } = c.req.valid("json")
    return c.json(await renamePasskey(c.get("app"), c.get("actor"), c.req.param("id"), name))
  })

  .delete("/auth/passkeys/:id", signedIn, async (c) => {
    const caller = callerOf(c.req.raw)
    await deletePasskey(c.get("app"), c.get("actor"), c.req.param("id"), caller)
    return c.body(null, 204)
  })

  .post("/auth/sessions/current/challenges", signedIn, async (c) => {
    const app = c.get("app")
    const party = relyingPartyOf(c.req.raw, app.settings)
    return c.json(await proofOptions(app, c.get("actor"), party), 201)
  })

  .post("/auth/sessions/current/proofs", signedIn, jsonBody(newProof), async (c) => {
    const app = c.get("app")
    const { password, challenge = "", ...factors } = c.req.valid("json")
    const given =
      password === undefined
        ? factorOf(app, c.req.raw, challenge, factors)
        : { kind: "password" as const, password }
    const proved = await renewProof(app, loadArgon2, c.get("actor"), given, callerOf(c.req.raw))
    // A browser's script cannot set the cookie itself.
    if (cameByCookie(c.req.raw.headers)) {
      c.header("set-cookie", accessTokenCookie(proved.accessToken), { append: true })
    }
    return c.json(proved, 201)
  })

type Factors = Omit<z.output<typeof challengeAnswer>, "challenge">

/** For `POST /auth/sessions`, whose other way is a password. */
export const answerWith = (
  app: App,
  request: Request,
  { challenge, ...factors }: z.output<typeof challengeAnswer>,
) => answerChallenge(app, challenge, factorOf(app, request, challenge, factors), callerOf(request))

/** The schema has seen to it that there is exactly one. */
function factorOf(
  app: App,
  request: Request,
  challenge: string,
  { code, recoveryCode = "", passkey }: Factors,
): GivenFactor {
  if (code !== undefined) return { kind: "code", code }
  if (passkey === undefined) return { kind: "recoveryCode", code: recoveryCode }
  return {
    kind: "passkey",
    assertion: passkey as AuthenticationResponseJSON,
    challenge,
    party: relyingPartyOf(request, app.settings),
  }
}
