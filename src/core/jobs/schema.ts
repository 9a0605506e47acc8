import * as z from "zod"
import { priorities } from "./job.ts"
import { jobStates } from "./stored-job.ts"

const id = z.uuid().meta({ description: "UUIDv7" })
const instant = z.iso.datetime({ precision: 3 }).meta({ description: "ISO 8601, UTC" })
const database = z
  .string()
  .optional()
  .meta({
    description: "Name of a database of the deployment; `main` unless told.",
    examples: ["main"],
  })
const state = z.enum(jobStates).meta({
  description:
    "`waiting` until it is due, `held` while its lane is full, `queued` for a worker, `running`; then `succeeded`, `cancelled`, or `dead`: given up.",
})

export const databaseQuery = z.strictObject({ database })

export const jobsQuery = z.strictObject({
  state: state.optional(),
  name: z.string().max(200).optional().meta({ description: "Jobs of this kind alone." }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().optional(),
  database,
})

export const jobSummary = z
  .object({
    id,
    name: z.string().meta({ examples: ["mail.deliver"] }),
    state,
    priority: z.enum(priorities),
    key: z
      .string()
      .nullable()
      .meta({ description: "Of all jobs of a kind with one key there is one." }),
    lane: z
      .string()
      .nullable()
      .meta({ description: "Where the number of runs at a time is limited." }),
    organisation: z.string().nullable(),
    runAt: instant.meta({ description: "When the next attempt is due, or was." }),
    attempts: z.int().meta({ description: "Failed ones, since it last moved on." }),
    progress: z
      .object({ done: z.number(), total: z.number() })
      .nullable()
      .meta({ description: "How far it is, where it tells." }),
    cancelRequestedAt: instant.nullable(),
    requestId: z.string().meta({ description: "Of the request that enqueued it." }),
    createdAt: instant,
    startedAt: instant.nullable(),
    finishedAt: instant.nullable(),
  })
  .meta({ description: "A job." })

export const jobDetails = jobSummary
  .extend({
    version: z.int().meta({ description: "Of the payload's shape." }),
    payload: z.unknown(),
    error: z.string().nullable().meta({ description: "Of the last attempt that failed." }),
    steps: z
      .array(z.object({ name: z.string(), result: z.unknown(), at: instant }))
      .meta({ description: "What it has done so far; empty once it has succeeded." }),
  })
  .meta({ description: "A job, with what it is to do." })

export const jobPage = z.object({
  items: z.array(jobSummary),
  next: z.string().nullable().meta({ description: "Cursor of the next page." }),
})

export const jobPatch = z
  .strictObject({
    payload: z.unknown().optional().meta({ description: "As the kind of job takes it." }),
    runAt: instant.optional(),
    priority: z.enum(priorities).optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, "has to change something")
  .meta({ description: "What to change about a job that does not run." })

export const jobSchedule = z
  .object({
    name: z.string().meta({ description: "Of the schedule, and of the jobs that it starts." }),
    cron: z.string(),
    timeZone: z.string().meta({ examples: ["Europe/Berlin"] }),
    nextAt: instant.nullable().meta({ description: "Null before the first look at it." }),
    lastAt: instant.nullable(),
  })
  .meta({ description: "A schedule of the deployment." })

export const jobScheduleList = z.object({ items: z.array(jobSchedule) })
