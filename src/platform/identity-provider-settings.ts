import * as z from "zod"

/*
 * Who else may say who somebody is: the secret IDENTITY_PROVIDERS, a JSON array. None unless the deployment names them.
 */

/** One line of printable text: it stands in a form body or a header. */
const printable = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/^[\x20-\x7e]+$/, "has to be printable ASCII")

const common = {
  /** In addresses, and in what people see of their identities. */
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, "has to be a lower-case name like google or acme-staff"),
  /** On buttons. */
  label: z.string().trim().min(1).max(40).optional(),
  clientId: printable,
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "is not a scope"))
    .min(1)
    .optional(),
  /** Where programs may be sent back to, beside pages of the deployment: exactly these. */
  redirectUris: z
    .array(z.string().regex(/^[a-z][a-z0-9+.-]*:[^\s#]+$/, "is not an address without #"))
    .default([]),
}

const withSecret = { ...common, clientSecret: printable }

/** GUID of a tenant, or who may come: anybody, work and school accounts, personal ones. */
const tenant = z
  .string()
  .regex(
    /^(?:common|organizations|consumers|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/,
    "has to be common, organizations, consumers, or the lower-case id of a tenant",
  )
  .default("common")

const provider = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("google"), ...withSecret }),
  z.strictObject({ kind: z.literal("github"), ...withSecret }),
  z.strictObject({ kind: z.literal("microsoft"), ...withSecret, tenant }),
  z.strictObject({
    kind: z.literal("apple"),
    ...common,
    teamId: printable,
    keyId: printable,
    privateKey: z
      .string()
      .regex(/^-----BEGIN PRIVATE KEY-----\s[\s\S]+-----END PRIVATE KEY-----\s*$/, "is not PKCS#8"),
  }),
  z.strictObject({
    kind: z.literal("oidc"),
    ...common,
    /** Exactly as its tokens and its discovery document say it. */
    issuer: z
      .url({ protocol: /^https?$/ })
      .refine(
        (text) => !/[?#]|^https?:\/\/[^/]*@/.test(text),
        "may have neither a query nor a fragment nor a user",
      ),
    /** Absent for a public client, whom PKCE alone protects. */
    clientSecret: printable.optional(),
    /** How it is sent; told by the discovery document unless it is told here. */
    clientAuthentication: z.enum(["client_secret_basic", "client_secret_post"]).optional(),
  }),
])

/** One of the deployment's providers, as its settings describe it. */
export type IdentityProvider = z.output<typeof provider>

export const identityProviders = z
  .array(provider)
  .max(50)
  .superRefine((providers, context) => {
    providers.forEach(({ name }, i) => {
      if (providers.findIndex((one) => one.name === name) === i) return
      const message = "is the name of another provider, too"
      context.addIssue({ code: "custom", path: [i, "name"], message })
    })
  })
