import * as z from "zod"
import { challengeAnswer } from "./factor-schema.ts"
import { providerCredentials } from "./provider-schema.ts"
import {
  credentials,
  emailAddress,
  id,
  instant,
  newAnonymousSession,
  newPassword,
  next,
  pageQuery,
  password,
  personName,
  roleName,
  text,
  user,
} from "./schema.ts"

/* Shapes on the wire of what people and administrators do with accounts. */

const token = text(200).min(1).meta({ description: "The token of the link that was mailed." })

export const tokenConfirmation = z.strictObject({ token }).meta({ description: "What was mailed." })

export const addressed = z
  .strictObject({ email: text(254).min(1).meta({ description: "The address of an account." }) })
  .meta({ description: "Whom to mail." })

export const passwordResetConfirmation = z
  .strictObject({ token, password: newPassword })
  .meta({ description: "What was mailed, and the new password." })

export const passwordChange = z
  .strictObject({
    currentPassword: password
      .min(1)
      .optional()
      .meta({ description: "Needed when the sign-in is longer ago than 10 minutes." }),
    password: newPassword,
  })
  .meta({ description: "A new password." })

export const emailChange = z
  .strictObject({ email: emailAddress })
  .meta({ description: "A new address." })

export const codeCredentials = z
  .strictObject({
    email: text(254),
    code: z
      .string()
      .regex(/^[0-9]{6}$/)
      .meta({ description: "The six digits that were mailed.", examples: ["123456"] }),
  })
  .meta({ description: "An address, and the code that was mailed to it." })

export const linkCredentials = z
  .strictObject({ token })
  .meta({ description: "The token of a link to sign in." })

/** For the reference. Each is parsed by its own schema, so that errors name what is missing. */
export const signInRequest = z.union([
  credentials,
  codeCredentials,
  linkCredentials,
  challengeAnswer,
  newAnonymousSession,
  providerCredentials,
])

/** The form that was meant, so that what is wrong with it can be said. */
export function signInForm(body: unknown) {
  if (typeof body !== "object" || body === null) return credentials
  if ("code" in body) return codeCredentials
  return "token" in body ? linkCredentials : credentials
}

export const accountPatch = z
  .strictObject({
    name: personName.optional(),
    roles: z
      .array(roleName)
      .max(20)
      .optional()
      .meta({ description: "Exactly: those not listed are taken away." }),
    disabled: z
      .boolean()
      .optional()
      .meta({ description: "True ends all sessions and lets nobody in." }),
  })
  .meta({ description: "What to change about a person." })

export const newImpersonation = z
  .strictObject({
    reason: text(500)
      .trim()
      .min(1)
      .meta({ description: "Why; the person reads it.", examples: ["Support request 4711"] }),
  })
  .meta({ description: "A session in another's name." })

export const userQuery = pageQuery.extend({
  kind: z
    .enum(["person", "anonymous", "service"])
    .optional()
    .meta({ description: "Of this kind alone; without it, all but the anonymous." }),
  search: text(254)
    .trim()
    .min(1)
    .optional()
    .meta({
      description:
        "The beginning of an address or a name, in any case. Answers the first matches, up to `limit`, and no further pages.",
      examples: ["ann"],
    }),
})

export const eventQuery = pageQuery.extend({
  user: z.uuid().optional().meta({ description: "Id of the person whom it concerns." }),
  kind: z
    .string()
    .regex(/^[a-zA-Z]+\.[a-zA-Z]+$/)
    .optional()
    .meta({ description: "As in `session.created`.", examples: ["session.created"] }),
})

export const ownRecordsQuery = z
  .strictObject({
    cursor: z.string().max(4_000).optional().meta({ description: "`next` of the part before." }),
  })
  .meta({ description: "A part of one's records." })

export const deletedRecords = z
  .object({
    deleted: z.int(),
    kept: z
      .int()
      .meta({ description: "Those that a rule, a hook or another record does not let go." }),
    next: z.string().nullable().meta({ description: "`cursor` of the next part." }),
  })
  .meta({ description: "What became of a part of one's records." })

export const account = user
  .extend({
    kind: z.enum(["person", "anonymous", "service"]),
    updatedAt: instant,
    disabledAt: instant.nullable().meta({ description: "Since when they may not sign in." }),
  })
  .meta({ description: "A person, as administrators see them." })

export const accountPage = z.object({ items: z.array(account), next })

export const event = z
  .object({
    id,
    at: instant,
    kind: z.string().meta({ description: "A noun and what became of it: `password.changed`." }),
    user: z.string().nullable().meta({ description: "Id of the person whom it concerns." }),
    actor: z.string().nullable().meta({ description: "Id of who did it; null for the system." }),
    organisation: z.string().nullable(),
    session: z.string().nullable(),
    network: z.string().nullable().meta({ description: "The neighbourhood of the address." }),
    userAgent: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
    requestId: z.string(),
  })
  .meta({ description: "A security event." })

export const eventPage = z.object({ items: z.array(event), next })
