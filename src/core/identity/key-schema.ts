import * as z from "zod"
import { isStorableText } from "../../platform/storable-text.ts"
import { scopePattern } from "./key-scopes.ts"
import { pageQuery as page, roleName } from "./schema.ts"

/*
 * Shapes on the wire of API keys and service accounts.
 */

const id = z.uuid().meta({ description: "UUIDv7" })
const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })

const label = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .refine(isStorableText, {
    message: "may not hold NUL or lone surrogates",
    params: { code: "invalid_text" },
  })

const scope = z
  .string()
  .max(80)
  .regex(scopePattern, "must be a scope like articles:read, *:read or *:*")
  .meta({
    description:
      "`<collection>:<action>`, with `read`, `create`, `update`, `delete`, or `*` for all; `metrics:read` and `jobs:read` for the keys of administrators; `webhooks:<action>` for endpoints of webhooks, which only a scope that names them covers.",
    examples: ["articles:read"],
  })

const reference = z.uuid({ error: "is not an id" }).toLowerCase()

export const newApiKey = z
  .strictObject({
    name: label.meta({ description: "What it is for.", examples: ["Nightly export"] }),
    scopes: z.array(scope).min(1).max(50).meta({
      description:
        "What of the rights of its holder it has. A key can do nothing that they cannot.",
    }),
    expiresAt: z.iso.datetime({ offset: true }).nullable().optional().meta({
      description: "90 days from now unless told; null for a key that does not expire.",
    }),
    organisation: reference.nullable().optional().meta({
      description: "The organisation to act in: that of the session unless told; null for none.",
    }),
    user: reference.optional().meta({ description: "A service account; oneself unless told." }),
  })
  .meta({ description: "An API key to be made." })

export const newRotation = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(7 * 24 * 60 * 60)
      .optional()
      .meta({
        description: "For so long the old key stays good: 24 hours unless told, 7 days at most.",
      }),
  })
  .meta({ description: "How an API key is replaced." })

export const keysQuery = page
  .extend({
    user: reference.optional().meta({
      description:
        "Whose keys: for administrators anybody's, for owners and admins of an organisation those of its service accounts.",
    }),
  })
  .meta({ description: "A page of keys." })

export const apiKey = z
  .object({
    id,
    user: id,
    organisation: z.string().nullable(),
    name: z.string(),
    hint: z.string().meta({ description: "The last characters of the key." }),
    scopes: z.array(z.string()),
    createdAt: instant,
    createdBy: z.string(),
    expiresAt: instant.nullable(),
    lastUsedAt: instant.nullable().meta({ description: "To the hour; null before the first use." }),
    revokedAt: instant.nullable(),
  })
  .meta({ description: "An API key, without its text." })

export const issuedApiKey = apiKey
  .extend({
    key: z.string().meta({ description: "For `Authorization: Bearer`. Shown this once." }),
  })
  .meta({ description: "An API key, as it is shown once." })

export const newServiceAccount = z
  .strictObject({
    name: label.meta({ description: "What it is.", examples: ["Importer"] }),
    roles: z.array(roleName).max(20).optional().meta({ description: "None unless told." }),
    organisation: reference.optional().meta({
      description: "The organisation that it belongs to; without it, it belongs to the deployment.",
    }),
  })
  .meta({ description: "A service account to be made." })

export const serviceAccountPatch = z
  .strictObject({ name: label.optional(), roles: z.array(roleName).max(20).optional() })
  .meta({ description: "What to change about a service account; its roles are given whole." })

export const serviceAccountsQuery = page
  .extend({
    organisation: reference.optional().meta({
      description: "That of an organisation; without it, administrators see all.",
    }),
  })
  .meta({ description: "A page of service accounts." })

export const serviceAccount = z
  .object({
    id,
    name: z.string().nullable(),
    organisation: z.string().nullable(),
    roles: z.array(z.string()),
    createdAt: instant,
  })
  .meta({ description: "A program's own account." })

const next = z.string().nullable().meta({ description: "Cursor of the next page." })

export const apiKeyPage = z.object({ items: z.array(apiKey), next })
export const serviceAccountPage = z.object({ items: z.array(serviceAccount), next })
