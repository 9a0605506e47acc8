import * as z from "zod"
import { isStorableText } from "../../platform/storable-text.ts"
import { credentials } from "./schema.ts"

/* Shapes of second factors on the wire. */

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine(isStorableText, {
      message: "may not hold NUL or lone surrogates",
      params: { code: "invalid_text" },
    })

const name = text(100)
  .trim()
  .min(1)
  .meta({ description: "What its owner calls it.", examples: ["Phone"] })

const challenge = text(4_000).min(1).meta({ description: "A challenge, as it was answered." })

/** Six digits; apps show them in two groups, and people type them so. */
const code = z
  .string()
  .regex(/^\s*\d{3}\s?\d{3}\s*$/, "must be six digits")
  .transform((value) => value.replace(/\s/g, ""))
  .meta({ description: "The code that an authenticator shows now.", examples: ["123456"] })

const recoveryCode = text(40)
  .min(1)
  .meta({ description: "A recovery code; each can be used once.", examples: ["0123a-4567b"] })

const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })

const base64url = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[\w-]+$/, "must be base64url")

/** What every answer of an authenticator has. Browsers add members over time; what we do not know is passed over. */
const credential = {
  id: base64url(2_000),
  rawId: base64url(2_000),
  type: z.literal("public-key"),
  authenticatorAttachment: z.enum(["platform", "cross-platform"]).optional(),
  clientExtensionResults: z.looseObject({}),
}

export const passkeyAssertion = z
  .object({
    ...credential,
    response: z.object({
      clientDataJSON: base64url(20_000),
      authenticatorData: base64url(20_000),
      signature: base64url(20_000),
      userHandle: base64url(200).optional(),
    }),
  })
  .meta({
    description: "The JSON of what `navigator.credentials.get` gave (AuthenticationResponseJSON).",
  })

export const passkeyAttestation = z
  .object({
    ...credential,
    response: z.object({
      clientDataJSON: base64url(20_000),
      attestationObject: base64url(200_000),
      transports: z.array(z.string().max(40)).max(20).optional(),
    }),
  })
  .meta({
    description: "The JSON of what `navigator.credentials.create` gave (RegistrationResponseJSON).",
  })

const factors = {
  code: code.optional(),
  recoveryCode: recoveryCode.optional(),
  passkey: passkeyAssertion.optional(),
}

const oneOf = (...names: string[]) => ({
  message: `send exactly one of ${names.join(", ")}`,
  params: { code: "one_of" },
})

const given = (body: object, names: readonly string[]): number =>
  names.filter((one) => (body as Record<string, unknown>)[one] !== undefined).length

export const challengeAnswer = z
  .strictObject({ challenge, ...factors })
  .refine((body) => given(body, Object.keys(factors)) === 1, oneOf(...Object.keys(factors)))
  .meta({ description: "A challenge with the factor that it asks for." })

/** Which of the two ways a body of `POST /auth/sessions` goes; whether it is right is for the schemas to say. */
export const isChallengeAnswer = (body: unknown): boolean =>
  typeof body === "object" && body !== null && "challenge" in body

export const newAuthenticator = z
  .strictObject({ name })
  .meta({ description: "An authenticator app (TOTP)." })

export const authenticatorConfirmation = z
  .strictObject({ code })
  .meta({ description: "A first code, which proves that the app is set up." })

const recoveryCodeList = z.array(z.string()).meta({ description: "Shown this once." })

export const authenticator = z
  .object({
    id: z.uuid().meta({ description: "UUIDv7" }),
    name: z.string(),
    createdAt: instant,
    confirmedAt: instant.nullable().meta({ description: "Before it, it counts for nothing." }),
  })
  .meta({ description: "An authenticator app." })

export const startedAuthenticator = authenticator
  .extend({
    secret: z.string().meta({ description: "Base32; shown this once." }),
    uri: z.string().meta({ description: "`otpauth://…`, for a QR code." }),
  })
  .meta({ description: "An authenticator app with its secret." })

export const confirmedAuthenticator = authenticator
  .extend({
    recoveryCodes: recoveryCodeList
      .nullable()
      .meta({ description: "With the first factor, and only this once." }),
  })
  .meta({ description: "An authenticator app that counts from now on." })

export const passkeyRegistration = z
  .strictObject({
    secondFactor: z
      .boolean()
      .default(false)
      .meta({ description: "Whether sign-in by other ways shall ask for this passkey." }),
  })
  .meta({ description: "A passkey that is to be made." })

export const newPasskey = z
  .strictObject({ challenge, response: passkeyAttestation, name })
  .meta({ description: "A passkey that was made." })

export const passkeyPatch = z
  .strictObject({ name })
  .meta({ description: "What to change about a passkey." })

export const passkeyChallenge = z
  .strictObject({
    challenge: challenge.optional().meta({
      description: "That of a first factor; without it, to sign in with a passkey alone.",
    }),
  })
  .meta({ description: "What a passkey is to be asked for." })

export const newProof = z
  .strictObject({
    password: credentials.shape.password.optional(),
    challenge: challenge.optional(),
    ...factors,
  })
  .refine(
    (body) => given(body, ["password", ...Object.keys(factors)]) === 1,
    oneOf("password", ...Object.keys(factors)),
  )
  .refine((body) => (body.passkey === undefined) === (body.challenge === undefined), {
    message: "a passkey comes with the challenge that it has signed",
    params: { code: "one_of" },
  })
  .meta({
    description: "A password, a code, a recovery code, or a passkey with its challenge.",
  })

export const proved = z
  .object({
    accessToken: z.string().meta({ description: "A signed JWT that knows of the proof." }),
    expiresIn: z.int().meta({ description: "Seconds until the access token expires." }),
  })
  .meta({ description: "An access token; the refresh token stays as it is." })

const knownCredential = z.object({
  id: z.string(),
  type: z.literal("public-key"),
  transports: z.array(z.string()),
})
const userVerification = z.enum(["required", "preferred"])

export const passkeyRequestOptions = z
  .object({
    challenge: z.string(),
    rpId: z.string(),
    timeout: z.int(),
    userVerification,
    allowCredentials: z.array(knownCredential),
  })
  .meta({ description: "For `PublicKeyCredential.parseRequestOptionsFromJSON`." })

export const passkeyCreationOptions = z
  .object({
    challenge: z.string(),
    rp: z.object({ id: z.string(), name: z.string() }),
    user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
    pubKeyCredParams: z.array(z.object({ type: z.literal("public-key"), alg: z.int() })),
    timeout: z.int(),
    attestation: z.literal("none"),
    excludeCredentials: z.array(knownCredential),
    authenticatorSelection: z.object({
      residentKey: userVerification,
      requireResidentKey: z.boolean(),
      userVerification,
    }),
  })
  .meta({ description: "For `PublicKeyCredential.parseCreationOptionsFromJSON`." })

export const passkey = z
  .object({
    id: z.string().meta({ description: "The credential's id, base64url." }),
    name: z.string(),
    secondFactor: z.boolean().meta({ description: "Whether sign-in by other ways asks for it." }),
    backedUp: z.boolean().meta({ description: "Whether its owner's other devices have it too." }),
    createdAt: instant,
    lastUsedAt: instant.nullable(),
  })
  .meta({ description: "A passkey." })

export const addedPasskey = passkey
  .extend({
    recoveryCodes: recoveryCodeList
      .nullable()
      .meta({ description: "With the first second factor, and only this once." }),
  })
  .meta({ description: "A new passkey." })

const next = z.string().nullable().meta({ description: "Cursor of the next page." })

export const authenticatorPage = z.object({ items: z.array(authenticator), next })

export const passkeyPage = z.object({ items: z.array(passkey), next })

export const recoveryCodes = z
  .object({ codes: recoveryCodeList })
  .meta({ description: "New recovery codes; all former ones are void." })

export const recoveryCodeCount = z
  .object({ remaining: z.int(), createdAt: instant.nullable() })
  .meta({ description: "How many recovery codes are still good." })
