import { DurableObject } from "cloudflare:workers"
import {
  type Counts,
  type Delta,
  decodeCounts,
  encodeCounts,
  merge,
  summarise,
} from "./metrics-counts.ts"
import { keptDays, type Step, startOfStep, stepMilliseconds } from "./metrics-step.ts"

/*
 * One object a deployment, behind every isolate's batches. Storage: the table `counts`, one row (`span`, `at`) for each
 * minute and each hour in which something was counted (`at` in milliseconds since the epoch, when it began), and one for
 * the total since the beginning (`at` 0). Hours and total are added to as the minutes are, in the same transaction, so
 * that reading a month does not mean reading its 43,200 minutes. `counts` is the JSON of `encodeCounts`, which the limit
 * on series keeps well below the 2 MB of a row. The alarm is set while there are rows to outlive.
 */

/** What was counted between two instants. */
export interface Read {
  /** By the instant at which the step began, names and organisations added up; steps without anything are left out. */
  readonly steps: Map<number, Counts>
  readonly sum: Counts
}

/** The Durable Object class that keeps the deployment's counters, minute by minute. */
export class MetricsStore extends DurableObject<Env> {
  constructor(state: DurableObjectState, env: Env) {
    super(state, env)
    state.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS counts (span TEXT NOT NULL, at INTEGER NOT NULL, counts TEXT NOT NULL, PRIMARY KEY (span, at)) STRICT",
    )
  }

  /** Adds what an isolate has counted: all of it, or nothing. */
  async add(delta: Delta): Promise<void> {
    const { storage } = this.ctx
    storage.transactionSync(() => {
      for (const [minute, counts] of delta) {
        const at = minute * stepMilliseconds.minute
        this.addTo("minute", at, counts)
        this.addTo("hour", startOfStep(at, "hour"), counts)
        this.addTo("total", 0, counts)
      }
    })
    if ((await storage.getAlarm()) === null) await this.sweepLater()
  }

  /** From `from` on and before `to`, both in milliseconds since the epoch at the beginning of a step. */
  read(from: number, to: number, step: Step): Read {
    const steps = new Map<number, Counts>()
    const sum: Counts = new Map()
    // Row by row: a day of a busy deployment does not fit into memory at once.
    for (const row of this.ctx.storage.sql.exec<{ at: number; counts: string }>(
      "SELECT at, counts FROM counts WHERE span = ? AND at >= ? AND at < ? ORDER BY at",
      step,
      from,
      to,
    )) {
      const counts = decodeCounts(row.counts)
      steps.set(row.at, summarise(counts))
      merge(sum, counts)
    }
    return { steps, sum }
  }

  /** All that was ever counted. Only grows. */
  totals(): Counts {
    return this.find("total", 0)
  }

  /** Forgets what is too old. */
  override async alarm(): Promise<void> {
    const { sql } = this.ctx.storage
    const oldest = Date.now() - keptDays * 24 * stepMilliseconds.hour
    sql.exec("DELETE FROM counts WHERE span <> 'total' AND at < ?", oldest)
    const [left] = sql.exec("SELECT 1 FROM counts WHERE span <> 'total' LIMIT 1")
    if (left) await this.sweepLater()
  }

  private sweepLater(): Promise<void> {
    return this.ctx.storage.setAlarm(Date.now() + stepMilliseconds.hour)
  }

  private addTo(span: Step | "total", at: number, counts: Counts): void {
    const known = this.find(span, at)
    merge(known, counts)
    this.ctx.storage.sql.exec(
      "INSERT OR REPLACE INTO counts VALUES (?, ?, ?)",
      span,
      at,
      encodeCounts(known),
    )
  }

  private find(span: Step | "total", at: number): Counts {
    const [row] = this.ctx.storage.sql.exec<{ counts: string }>(
      "SELECT counts FROM counts WHERE span = ? AND at = ?",
      span,
      at,
    )
    return row ? decodeCounts(row.counts) : new Map()
  }
}
