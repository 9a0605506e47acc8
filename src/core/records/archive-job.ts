import type { App } from "../../platform/app.ts"
import { anyOf, raw, type Sql } from "../../platform/sql.ts"
import { archiveStep } from "../changes/archive.ts"
import { type Schedule, schedule } from "../jobs/schedule.ts"
import type { LinkedCollections } from "./link.ts"

const dayMilliseconds = 86_400_000

/** A line that its listener could not take is still to be had by who tries again (deliver-job.ts). */
const buried = raw(
  "EXISTS (SELECT 1 FROM jobs j WHERE j.name = 'changes.deliver' AND j.key = c.id AND j.state <> 'succeeded')",
)

/**
 * Moves what has served its time in the database to R2, for each collection that says how long that is.
 *
 * @param delivered up to which line of the log its listeners have heard it
 * @param held SQL about `c`, each true of lines that somebody beside them still needs here
 */
export async function archiveHistory(
  app: App,
  collections: LinkedCollections,
  delivered: number,
  { signal, held = [] }: { signal?: AbortSignal; held?: readonly Sql[] } = {},
): Promise<number> {
  const { archive } = app
  let moved = 0
  for (const { name, definition } of collections.values()) {
    const days = retentionDays(definition.options.history?.retention)
    if (days === null) continue
    if (!archive) {
      app.log("warn", "no archive", { collection: name, hint: "bind an R2 bucket as ARCHIVE" })
      return moved
    }
    const cutoff = new Date(app.now() - days * dayMilliseconds).toISOString()
    for (let more = true; more && !signal?.aborted; ) {
      const step = await archiveStep(app, archive, {
        subject: name,
        cutoff,
        delivered,
        held: anyOf([buried, ...held]),
      })
      moved += step.moved
      more = step.more
    }
  }
  return moved
}

/** Null for lines that stay. */
export const retentionDays = (retention: string | undefined): number | null =>
  retention === undefined ? null : Number(retention.slice(0, -1))

/** By the clock, in each database; nothing, where no collection lets its lines go. */
export const historyArchive = (
  collections: LinkedCollections,
  held: readonly Sql[] = [],
): readonly Schedule[] => {
  const retained = [...collections.values()].some(({ definition }) => definition.options.history)
  return retained ? [archiveSchedule(collections, held)] : []
}

const archiveSchedule = (collections: LinkedCollections, held: readonly Sql[]): Schedule =>
  schedule("history.archive", {
    cron: "29 * * * *",
    everywhere: true,
    priority: "low",
    timeoutSeconds: 600,
    concurrency: { limit: 1 },
    async run({ app, signal }) {
      const moved = await archiveHistory(app, collections, await app.heard(), { signal, held })
      if (moved > 0) app.log("info", "history archived", { database: app.db.name, lines: moved })
    },
  })
