import * as z from "zod"
import { isStorableText } from "../../platform/storable-text.ts"

/*
 * Shapes on the wire.
 */

const id = z.uuid().meta({ description: "UUIDv7" })
const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })
const next = z.string().nullable().meta({ description: "Cursor of the next page." })

const storable = (max: number) =>
  z
    .string()
    .max(max)
    .refine(isStorableText, {
      message: "may not hold NUL or lone surrogates",
      params: { code: "invalid_text" },
    })

const url = storable(2_000).meta({
  description: "Where events are posted to: https, and a public host. Redirects are not followed.",
  examples: ["https://hooks.example.com/hinterland"],
})
const description = storable(500).nullable().meta({ description: "For those who read the list." })
const events = z
  .array(z.string().max(200))
  .min(1)
  .max(200)
  .meta({
    description: "Types of events, as `GET /webhooks/events` lists them.",
    examples: [["films.created", "films.updated"]],
  })
const filter = storable(4_000)
  .nullable()
  .meta({
    description:
      "A condition in the expression language over the record's own fields: as they are after the change, before it with `@old.field`, and `@changed(field)`. It has to make sense for each collection that is listened to.",
    examples: ['@changed(status) && status = "open"'],
  })
const fields = z.array(z.string().max(100)).max(200).nullable().meta({
  description: "Fields that are told; null for all that may be read.",
})
const headers = z
  .record(z.string().min(1).max(100), storable(2_000))
  .refine((given) => Object.keys(given).length <= 20, "may have 20 members at most")
  .nullable()
  .meta({
    description: "Sent along. Values are not shown again.",
    examples: [{ authorization: "Bearer …" }],
  })
const ratePerSecond = z.int().min(1).max(100).meta({
  description: "Events that are sent within a second, at most; 20 unless told.",
})

export const newWebhookEndpoint = z
  .strictObject({
    url,
    events,
    description: description.optional(),
    filter: filter.optional(),
    fields: fields.optional(),
    headers: headers.optional(),
    ratePerSecond: ratePerSecond.optional(),
    scheme: z.enum(["v1", "v1a"]).optional().meta({
      description: "How events are signed: `v1` (HMAC-SHA256) unless told, or `v1a` (Ed25519).",
    }),
    secret: z.string().max(200).optional().meta({
      description: "One's own secret for `v1`: `whsec_` and base64 of 24 to 64 bytes.",
    }),
  })
  .meta({ description: "An endpoint to be made." })

export const webhookEndpointPatch = z
  .strictObject({
    url: url.optional(),
    events: events.optional(),
    description: description.optional(),
    filter: filter.optional(),
    fields: fields.optional(),
    headers: headers.optional(),
    ratePerSecond: ratePerSecond.optional(),
    enabled: z.boolean().optional().meta({
      description: "What is written while it is disabled, it only hears of by a replay.",
    }),
  })
  .meta({ description: "What to change about an endpoint; headers are given whole." })

export const webhookEndpoint = z
  .object({
    id,
    owner: z.string().meta({
      description: "Account by whose rights everything is judged, as they are when it is sent.",
    }),
    organisation: z.string().nullable(),
    key: z.string().nullable().meta({ description: "Id of the API key that made it, if one did." }),
    url: z.string(),
    description: z.string().nullable(),
    events: z.array(z.string()),
    filter: z.string().nullable(),
    fields: z.array(z.string()).nullable(),
    headers: z.array(z.string()).meta({ description: "Names of the headers that are sent along." }),
    ratePerSecond: z.int(),
    scheme: z.enum(["v1", "v1a"]),
    publicKey: z.string().nullable().meta({ description: "`whpk_…`, of `v1a`." }),
    overlapUntil: instant.nullable().meta({
      description: "Until then the secret before signs as well.",
    }),
    enabled: z.boolean(),
    disabledReason: z.enum(["owner", "gone", "failing", "filter", "request"]).nullable().meta({
      description:
        "Its owner has left or is disabled, or their key ended; it answered 410; it failed for five days; its filter does not fit the collections any more; somebody asked for it.",
    }),
    disabledAt: instant.nullable(),
    failures: z.int().meta({ description: "In a row." }),
    failingSince: instant.nullable(),
    pausedUntil: instant.nullable().meta({
      description: "Nothing is sent before: it failed too often, or asked for it.",
    }),
    createdAt: instant,
    updatedAt: instant,
  })
  .meta({ description: "Where events are sent." })

export const issuedWebhookEndpoint = webhookEndpoint
  .extend({
    secret: z.string().nullable().meta({
      description: "`whsec_…`, to verify signatures with; shown this once. Null of `v1a`.",
    }),
  })
  .meta({ description: "An endpoint with its secret, as it is shown once." })

export const newSecretRotation = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(7 * 86_400)
      .optional()
      .meta({
        description:
          "For so long the old secret signs as well: 24 hours unless told, 7 days at most.",
      }),
    secret: z.string().max(200).optional(),
    scheme: z.enum(["v1", "v1a"]).optional().meta({ description: "As it was, unless told." }),
  })
  .meta({ description: "How a secret is replaced." })

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().optional(),
})

const deliveryState = z.enum(["waiting", "retrying", "succeeded", "failed", "withheld"]).meta({
  description:
    "`waiting` for an attempt, with those behind it; `retrying`, while those behind it go on; `succeeded`; `failed`: given up; `withheld`: its owner may not read it any more.",
})

export const deliveriesQuery = pageQuery.extend({
  state: deliveryState.optional(),
  type: z.string().max(200).optional().meta({ description: "Events of this type alone." }),
  since: instant.optional().meta({ description: "Queued then or later." }),
  until: instant.optional().meta({ description: "Queued before." }),
})

export const webhookDelivery = z
  .object({
    id,
    messageId: z.string().meta({ description: "`webhook-id`, the same at each attempt." }),
    type: z.string(),
    state: deliveryState,
    attempts: z.int().meta({ description: "Failed ones, since it was last asked for." }),
    nextAt: instant.nullable().meta({ description: "When it is tried again." }),
    createdAt: instant,
    finishedAt: instant.nullable(),
  })
  .meta({ description: "An event on its way to an endpoint." })

export const webhookAttempt = z
  .object({
    at: instant,
    milliseconds: z.int(),
    status: z.int().nullable().meta({ description: "Null where there was no answer." }),
    headers: z.record(z.string(), z.string()).nullable(),
    body: z.string().nullable().meta({ description: "Its first KB." }),
    error: z.string().nullable().meta({ description: "Why it does not count." }),
  })
  .meta({ description: "What a receiver said." })

export const webhookDeliveryDetails = webhookDelivery
  .extend({
    body: z.string().nullable().meta({
      description:
        "As it was last sent; null before that, of what is too long to keep, and for others than its owner.",
    }),
    log: z.array(webhookAttempt).meta({ description: "The latest attempts, the newest first." }),
  })
  .meta({ description: "An event on its way, with what was sent and answered." })

export const webhookReplay = z
  .strictObject({
    deliveries: z.array(z.uuid()).min(1).max(1_000).optional().meta({ description: "These." }),
    failedSince: instant.optional().meta({ description: "All that failed, queued then or later." }),
    from: instant.optional().meta({ description: "All that happened then or later …" }),
    to: instant.optional().meta({ description: "… and before." }),
    since: z.string().max(200).optional().meta({
      description:
        "Everything after a position of the log, as `next` of `GET /changes` gives it, and of a replay; within `from` and `to`, where they are given too.",
    }),
  })
  .meta({ description: "What to send again: one way of saying it." })

export const webhookReplayAnswer = z
  .object({
    queued: z.int().meta({
      description:
        "Deliveries that were known, 10,000 of those that failed at most; 0 for stretches of the log.",
    }),
    next: z.string().nullable().meta({
      description:
        "Where to go on in a long stretch: the same request with it as `since`. Null when all is queued.",
    }),
  })
  .meta({ description: "What was queued." })

export const webhookEndpointPage = z.object({ items: z.array(webhookEndpoint), next })
export const webhookDeliveryPage = z.object({ items: z.array(webhookDelivery), next })

export const webhookEventType = z
  .object({
    type: z.string().meta({ examples: ["films.created"] }),
    version: z.int().meta({ description: "Rises when a receiver that worked may stop working." }),
    description: z.string(),
    schema: z.record(z.string(), z.unknown()).meta({ description: "JSON Schema of the payload." }),
    example: z.unknown(),
  })
  .meta({ description: "A type of events that one may hear of." })

export const webhookEventTypes = z.object({ items: z.array(webhookEventType) })
