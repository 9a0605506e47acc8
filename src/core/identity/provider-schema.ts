import * as z from "zod"
import { id, instant, text } from "./schema.ts"

/* Shapes on the wire of sign-in with identity providers. */

export const provider = z
  .object({
    name: z.string().meta({ description: "For addresses.", examples: ["google"] }),
    kind: z.enum(["google", "github", "microsoft", "apple", "oidc"]),
    label: z.string().meta({ description: "For a button.", examples: ["Google"] }),
  })
  .meta({ description: "Another service that can say who somebody is." })

export const providerPage = z.object({ items: z.array(provider), next: z.null() })

const destination = {
  returnTo: text(1_000)
    .min(1)
    .optional()
    .meta({
      description:
        "For pages: where the person goes afterwards, `/` unless told. On PUBLIC_URL or ALLOWED_ORIGINS, without a fragment.",
      examples: ["/films?search=noir"],
    }),
  redirectUri: text(500).min(1).optional().meta({
    description:
      "For programs that take the code themselves: where the provider sends it. Among the provider's `redirectUris`, or on PUBLIC_URL or ALLOWED_ORIGINS.",
  }),
}

const notBoth = (body: { returnTo?: string | undefined; redirectUri?: string | undefined }) =>
  body.returnTo === undefined || body.redirectUri === undefined

const oneOf = { message: "send returnTo or redirectUri, not both", params: { code: "one_of" } }

export const newAuthorization = z
  .strictObject(destination)
  .refine(notBoth, oneOf)
  .meta({ description: "A sign-in with a provider that begins." })

export const newLinkingAuthorization = z
  .strictObject({
    provider: text(32)
      .min(1)
      .meta({ description: "Name of the provider.", examples: ["google"] }),
    ...destination,
  })
  .refine(notBoth, oneOf)
  .meta({ description: "The linking of an identity that begins." })

export const authorization = z
  .object({
    url: z.string().meta({ description: "Where the person goes, in their browser." }),
    ticket: z.string().nullable().meta({
      description:
        "For programs that take the code themselves: keep it, and send it with the code. Pages have it in a cookie.",
    }),
    expiresIn: z.int().meta({ description: "Seconds within which they have to come back." }),
  })
  .meta({ description: "The way to a provider." })

/** What a provider sends along; the limits are ours. */
const state = text(200).min(1).meta({ description: "As it came back from the provider." })
const code = text(8_000).min(1).meta({ description: "The provider's code." })
const iss = text(1_000).optional().meta({ description: "Where the provider sends it (RFC 9207)." })

export const providerCredentials = z
  .strictObject({
    ticket: text(8_000).min(1).meta({ description: "The ticket of the beginning." }),
    state,
    code,
    iss,
  })
  .meta({ description: "What a provider has sent a program, and the ticket of the beginning." })

export const isProviderAnswer = (body: unknown): boolean =>
  typeof body === "object" && body !== null && "ticket" in body

/** Providers may send more, which is passed over. */
export const callbackQuery = z
  .object({
    state,
    code: code.optional(),
    iss,
    error: text(200).optional().meta({ description: "Why there is no code (RFC 6749, 4.1.2.1)." }),
  })
  .meta({ description: "What a provider sends back." })

/** As Apple posts it. */
export const callbackForm = callbackQuery
  .extend({
    user: text(10_000)
      .optional()
      .meta({ description: "Apple's: JSON with a name, the first time." }),
  })
  .meta({ description: "What a provider sends back." })

export const appleUser = z.object({
  name: z.object({ firstName: z.string().default(""), lastName: z.string().default("") }),
})

export const identity = z
  .object({
    id,
    provider: z.string().meta({ description: "Name of the provider.", examples: ["google"] }),
    issuer: z.string().meta({ description: "Who vouches for it." }),
    email: z.string().meta({ description: "The address that the provider told at the linking." }),
    createdAt: instant,
    lastUsedAt: instant.nullable(),
  })
  .meta({ description: "An account with a provider, with which one can sign in." })

export const identityPage = z.object({ items: z.array(identity), next: z.null() })
