import * as z from "zod"
import { eventStates } from "./stored-event.ts"

const id = z.uuid().meta({ description: "UUIDv7" })
const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })
const source = z
  .string()
  .max(100)
  .optional()
  .meta({ description: "Events of this source alone.", examples: ["stripe"] })
const since = z.iso.datetime().optional().meta({ description: "Received then or later." })
const until = z.iso.datetime().optional().meta({ description: "Received before then." })
const state = z.enum(eventStates).meta({
  description:
    "`waiting` for its next attempt, or in the middle of one; `applied`; `failed`: given up.",
})

export const inboundEventsQuery = z.strictObject({
  source,
  state: state.optional(),
  since,
  until,
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().optional(),
})

export const inboundEventSummary = z
  .object({
    id,
    source: z.string(),
    eventId: z.string().meta({ description: "The sender's; else `sha256:` and the body's hash." }),
    type: z.string().nullable(),
    state,
    sizeBytes: z.int(),
    requestId: z.string().meta({ description: "Of the request that brought it." }),
    receivedAt: instant,
    appliedAt: instant.nullable(),
    replays: z.int(),
    job: z.string().nullable().meta({ description: "Id of the job that applies it." }),
    attempts: z.int().meta({ description: "Failed ones." }),
    runAt: instant.nullable().meta({ description: "When the next attempt is due." }),
  })
  .meta({ description: "An event that somebody has sent, without its body." })

export const inboundEvent = inboundEventSummary
  .extend({
    headers: z.record(z.string(), z.string()).meta({
      description: "Those that say what it is: no signature, no token.",
    }),
    body: z.string(),
    encoding: z.enum(["utf8", "base64"]).meta({ description: "Of the body, as it is shown." }),
    error: z.string().nullable().meta({ description: "Of the last attempt that failed." }),
  })
  .meta({ description: "An event that somebody has sent." })

export const inboundEventPage = z.object({
  items: z.array(inboundEventSummary),
  next: z.string().nullable().meta({ description: "Cursor of the next page." }),
})

export const newReplay = z
  .strictObject({ source, since, until })
  .meta({ description: "Which of the events that have failed to apply again; all, unless told." })

export const replay = z
  .object({
    replayed: z.int().meta({ description: "How many wait again; 1,000 at most." }),
    more: z.boolean().meta({ description: "Whether to ask once more." }),
  })
  .meta({ description: "What was done about events that had failed." })

export const received = z
  .object({ received: z.boolean().meta({ description: "False for one that was known already." }) })
  .meta({ description: "An event has been stored." })
