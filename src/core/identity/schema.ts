import * as z from "zod"
import { isStorableText } from "../../platform/storable-text.ts"
import { addressPattern, hasDomain } from "../mail/address.ts"

/*
 * Shapes on the wire. Inputs are strict: an unknown field is an error that names it. OpenAPI is made from these.
 */

/** A refinement whose code tells programs what is wrong. */
const because = (code: string, message: string) => ({ message, params: { code } })

export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine(isStorableText, {
      ...because("invalid_text", "may not hold NUL or lone surrogates"),
      abort: true,
    })

/** Characters as people count them in NFC, not UTF-16 units: twelve emoji are twelve. */
const length = (value: string): number => [...value.normalize("NFC")].length

export const emailAddress = text(254)
  .trim()
  .regex(addressPattern, { message: "is not an e-mail address", abort: true })
  .refine(hasDomain, because("invalid_address", "is not an e-mail address"))
  .meta({
    description: "An e-mail address; compared without regard to case.",
    examples: ["ann@example.com"],
  })

/** A coarse limit first, so that counting stays cheap: room for 256 characters with several marks each. */
export const password = text(2_048)

export const newPassword = password
  .refine((value) => length(value) >= 8, because("too_small", "must have 8 characters at least"))
  .refine((value) => length(value) <= 256, because("too_big", "must have 256 characters at most"))
  .meta({ description: "8 to 256 characters of any kind.", examples: ["correct horse battery"] })

/** One line: it stands in heads of mails, and in what others are sent. */
export const personName = text(200)
  .trim()
  .min(1)
  .regex(/^[^\p{Cc}\u2028\u2029]*$/u, "may not hold line breaks or control characters")
  .nullable()
  .meta({ description: "The name others see; null for none." })

export const roleName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,39}$/, "must be a name like editor or shop-manager")
  .meta({ description: "Name of a role.", examples: ["editor"] })

export const id = z.uuid().meta({ description: "UUIDv7" })
export const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })

export const newUser = z
  .strictObject({
    email: emailAddress,
    password: newPassword,
    name: personName.optional(),
  })
  .meta({ description: "A person who signs up." })

export const newAdministrator = newUser
  .extend({ code: text(500).min(1).meta({ description: "The one-time code of the deployment." }) })
  .meta({ description: "The first administrator of a deployment." })

export const credentials = z
  .strictObject({ email: text(254), password: password.min(1) })
  .meta({ description: "An address and its password." })

export const newAnonymousSession = z
  .strictObject({ kind: z.literal("anonymous") })
  .meta({ description: "A session of somebody who has no account yet." })

export const newCredentials = newUser
  .pick({ email: true, password: true, name: true })
  .meta({ description: "What makes an account of an anonymous session." })

export const refreshRequest = z
  .strictObject({
    refreshToken: text(2_000)
      .optional()
      .meta({ description: "Without it, the cookie of the browser is used." }),
  })
  .meta({ description: "A refresh token; each can be used once." })

export const mePatch = z
  .strictObject({ name: personName.optional() })
  .meta({ description: "What to change about oneself." })

export const pageQuery = z
  .strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50),
    cursor: z.string().optional(),
  })
  .meta({ description: "A page of a list." })

export const user = z
  .object({
    id,
    email: z.string().nullable().meta({ description: "Null of an anonymous person." }),
    name: z.string().nullable(),
    roles: z.array(z.string()),
    createdAt: instant,
    emailVerifiedAt: instant
      .nullable()
      .meta({ description: "When they proved that the address is theirs." }),
  })
  .meta({ description: "A person, as they and administrators see them." })

export const tokens = z
  .object({
    accessToken: z.string().meta({ description: "A signed JWT for `Authorization: Bearer`." }),
    expiresIn: z.int().meta({ description: "Seconds until the access token expires." }),
    refreshToken: z.string().meta({ description: "Opaque; changes with every use." }),
  })
  .meta({ description: "A pair of tokens." })

export const signedIn = tokens
  .extend({ user })
  .meta({ description: "A new session: its tokens and its person." })

export const session = z
  .object({
    id,
    userAgent: z.string().nullable(),
    createdAt: instant,
    lastUsedAt: instant,
    expiresAt: instant,
    impersonator: z
      .boolean()
      .meta({ description: "True when an administrator acts in the person's name." }),
    current: z.boolean().meta({ description: "The session that asks." }),
  })
  .meta({ description: "A sign-in on one device." })

export const next = z.string().nullable().meta({ description: "Cursor of the next page." })

export const sessionPage = z.object({ items: z.array(session), next })

export const keySet = z
  .object({
    keys: z.array(
      z.object({
        kid: z.string(),
        kty: z.literal("OKP"),
        crv: z.literal("Ed25519"),
        x: z.string(),
        alg: z.literal("EdDSA"),
        use: z.literal("sig"),
      }),
    ),
  })
  .meta({ description: "JSON Web Key Set (RFC 7517)." })
