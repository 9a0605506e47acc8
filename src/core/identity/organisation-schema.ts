import * as z from "zod"
import { isStorableText } from "../../platform/storable-text.ts"
import { maxSessionSeconds, minSessionSeconds } from "./organisation-policy.ts"
import { emailAddress, personName, roleName } from "./schema.ts"

/** It stands in the subject of mails, so it is one line. */
const organisationName = z
  .string()
  .max(100)
  .trim()
  .min(1)
  .regex(/^[^\p{Cc}\u2028\u2029]*$/u, "must be one line")
  .refine(isStorableText, {
    message: "may not hold NUL or lone surrogates",
    params: { code: "invalid_text" },
  })
  .meta({ description: "One line of 1 to 100 characters.", examples: ["Film club"] })

const id = z.uuid().meta({ description: "UUIDv7" })
const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })
const next = z.string().nullable().meta({ description: "Cursor of the next page." })

const roles = z
  .array(roleName)
  .min(1)
  .max(10)
  .meta({
    description: "`owner`, `admin`, `member`, `guest`, or one of the deployment's own.",
    examples: [["member"]],
  })

const domain = z
  .string()
  .max(253)
  .regex(/^[^\s@.]+(?:\.[^\s@.]+)+$/u, "must be a domain like example.com")
  .refine(isStorableText, {
    message: "may not hold NUL or lone surrogates",
    params: { code: "invalid_text" },
  })
  .transform((name) => name.normalize("NFC").toLowerCase())

const secondFactorRequired = z
  .boolean()
  .meta({ description: "Only sessions with a second factor or a passkey act in it." })
const allowedDomains = z
  .array(domain)
  .max(50)
  .meta({
    description: "Domains of the addresses that may join, exactly; empty for any.",
    examples: [["example.com"]],
  })
const sessionSeconds = z.int().min(minSessionSeconds).max(maxSessionSeconds).nullable().meta({
  description: "How long after they signed in members sign in again; null as elsewhere.",
})

export const policyPatch = z
  .strictObject({
    secondFactorRequired: secondFactorRequired.optional(),
    allowedDomains: allowedDomains.optional(),
    sessionSeconds: sessionSeconds.optional(),
  })
  .meta({ description: "What to change of a policy; the rest stays." })

export const newOrganisation = z
  .strictObject({
    name: organisationName,
    database: z
      .string()
      .max(40)
      .optional()
      .meta({
        description: "Where its records lie: for administrators of the deployment to choose.",
        examples: ["main"],
      }),
  })
  .meta({ description: "An organisation to be." })

export const organisationPatch = z
  .strictObject({ name: organisationName.optional(), policy: policyPatch.optional() })
  .meta({ description: "What to change about an organisation." })

export const organisationMemberPatch = z
  .strictObject({ roles })
  .meta({ description: "The roles of a member, exactly: those not listed are taken away." })

export const newOrganisationInvitation = z
  .strictObject({ email: emailAddress, roles })
  .meta({ description: "Whom to invite, to what." })

export const invitationAcceptance = z
  .strictObject({ token: z.string().max(200).meta({ description: "From the invitation's link." }) })
  .meta({ description: "The token of an invitation." })

export const ownershipTransfer = z
  .strictObject({ user: id })
  .meta({ description: "The member who is to own the organisation." })

export const activeOrganisation = z
  .strictObject({ organisation: id.nullable() })
  .meta({ description: "The organisation to act in; null for none." })

export const organisation = z
  .object({
    id,
    name: z.string(),
    policy: z.object({
      secondFactorRequired: z.boolean(),
      allowedDomains: z.array(z.string()),
      sessionSeconds: z.int().nullable(),
    }),
    roles: z.array(z.string()).meta({ description: "One's own in it." }),
    version: z.int(),
    createdAt: instant,
  })
  .meta({ description: "An organisation, as its members see it." })

export const organisationMember = z
  .object({
    id: id.meta({ description: "Of the person." }),
    name: personName,
    roles: z.array(z.string()),
  })
  .meta({ description: "A member of an organisation." })

export const organisationInvitation = z
  .object({
    id,
    email: z.string(),
    roles: z.array(z.string()),
    invitedBy: id,
    createdAt: instant,
    expiresAt: instant,
  })
  .meta({ description: "An invitation that has not been answered." })

export const accessToken = z
  .object({
    accessToken: z.string().meta({ description: "A signed JWT for `Authorization: Bearer`." }),
    expiresIn: z.int().meta({ description: "Seconds until the access token expires." }),
  })
  .meta({ description: "An access token; the refresh token stays as it is." })

export const organisationPage = z.object({ items: z.array(organisation), next })
export const organisationMemberPage = z.object({ items: z.array(organisationMember), next })
export const organisationInvitationPage = z.object({ items: z.array(organisationInvitation), next })
