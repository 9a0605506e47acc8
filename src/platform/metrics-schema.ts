import * as z from "zod"
import { type Counter, type Outcome, outcomes } from "./metrics-figures.ts"

const instant = z.iso.datetime()
const count = z.int().min(0)
/** How often each outcome occurred. */
const endings = <Name extends Counter>(counter: Name) =>
  z.object(
    Object.fromEntries(outcomes[counter].map((outcome) => [outcome, count])) as Record<
      Outcome<Name>,
      typeof count
    >,
  )
const latency = (share: string) =>
  z
    .number()
    .nullable()
    .meta({
      description: `So many milliseconds did ${share} of the requests not exceed, within a factor of 1.3; null without requests.`,
    })

/** The longest range that is answered, in steps: a day by the minute, or thirty days by the hour. */
export const maxSteps = 1_500

export const metricsQuery = z.strictObject({
  from: z.iso.datetime({ offset: true }).optional().meta({
    description:
      "The beginning, rounded down to a step. An hour (by hour: a day) before `to` unless given.",
  }),
  to: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({ description: "The end, rounded up to a step. Now unless given." }),
  step: z
    .enum(["minute", "hour"])
    .default("minute")
    .meta({ description: `\`minute\` or \`hour\`; at most ${maxSteps} of them.` }),
  format: z.enum(["json", "prometheus"]).optional().meta({
    description:
      "`prometheus` for the totals since the beginning as text (the other parameters have to be well-formed, but play no part), as does an `Accept` that asks for `text/plain` or `application/openmetrics-text` and not for JSON.",
  }),
})

const requestFigures = {
  requests: count,
  clientErrors: count.meta({ description: "Answers from 400 to 499." }),
  serverErrors: count.meta({ description: "Answers from 500 on." }),
  p50Milliseconds: latency("half"),
  p95Milliseconds: latency("95 %"),
  p99Milliseconds: latency("99 %"),
  trips: count.meta({ description: "Calls to D1." }),
  rowsRead: count,
  rowsWritten: count,
}

export const requestMetrics = z.object(requestFigures)

const figures = {
  ...requestFigures,
  jobs: endings("jobs"),
  mails: endings("mails"),
  signIns: endings("signIns"),
}

export const metrics = z
  .object(figures)
  .meta({ description: "What was counted: requests, and how jobs, mails and sign-ins ended." })

export const metricsReport = z
  .object({
    from: instant,
    to: instant.meta({ description: "The first instant that is not counted any more." }),
    step: z.enum(["minute", "hour"]),
    total: metrics,
    steps: z
      .array(z.object({ at: instant, ...figures }))
      .meta({ description: "One for each step, by the instant at which it began." }),
    routes: z
      .array(z.object({ method: z.string(), route: z.string(), ...requestFigures }))
      .meta({ description: "The busiest first. `(none)` is what no route answers." }),
    organisations: z.array(z.object({ organisation: z.string().nullable(), ...figures })).meta({
      description:
        "By id, the busiest first; null for what was done for none. `(other)` adds up those beyond the thousand that are told apart.",
    }),
    jobs: z.array(z.object({ job: z.string(), outcome: z.string(), count })),
    mails: z.array(z.object({ template: z.string(), outcome: z.string(), count })),
  })
  .meta({ description: "Counters of a stretch of time." })
