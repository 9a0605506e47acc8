import { z } from "zod"
import { isStorableText } from "../../platform/validate.ts"
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

const factors = { code: code.optional(), recoveryCode: recoveryCode.optional() }

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

/** For the reference: one way or the other. Each is parsed by its own schema, so that errors name what is missing. */
export const signInRequest = z
  .strictObject({
    email: credentials.shape.email.optional(),
    password: credentials.shape.password.optional(),
    challenge: challenge.optional(),
    ...factors,
  })
  .meta({ description: "An address and its password; or a challenge and the factor it asks for." })

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

const next = z.string().nullable().meta({ description: "Cursor of the next page." })

export const authenticatorPage = z.object({ items: z.array(authenticator), next })

export const recoveryCodes = z
  .object({ codes: recoveryCodeList })
  .meta({ description: "New recovery codes; all former ones are void." })

export const recoveryCodeCount = z
  .object({ remaining: z.int(), createdAt: instant.nullable() })
  .meta({ description: "How many recovery codes are still good." })
