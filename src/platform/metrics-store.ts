import { DurableObject } from "cloudflare:workers"
import {
  type Counts,
  type Delta,
  decodeCounts,
  encodeCounts,
  merge,
  noCounts,
  sumOf,
} from "./metrics-counts.ts"
import {
  covering,
  keptDays,
  type Span,
  type Step,
  spanMilliseconds,
  spans,
  startOf,
} from "./metrics-step.ts"

/*
 * A few objects a deployment (metrics-shards.ts), behind the isolates' batches. Storage: the table `counts`, one row
 * (`span`, `at`) for each minute, hour and day in which something was counted (`at` in milliseconds since the epoch, when
 * it began), and one for the total since the beginning (`at` 0). `sum` is the JSON of all figures added up, all that the
 * curve of a long range needs; `counts` the JSON of `encodeCounts`, which the limit on series keeps well below the 2 MB
 * of a row. The alarm is set while there are rows to outlive.
 *
 * Batches are added up in memory and written every ten seconds, because a row is rewritten whole. What was told is always
 * written before. So a crash, or a new version, loses at most ten seconds of what nobody has read yet: a total that fell
 * behind what Prometheus has seen would look like a restart to it, and be counted all over again.
 */

/** Marks of the clock rather than delays: one of them is the end of each minute. */
const writeMilliseconds = 10_000

/** What was counted between two instants. */
export interface Read {
  /** By the instant at which the step began, all figures added up; steps without anything are left out. */
  readonly steps: Map<number, number[]>
  readonly sum: Counts
}

/** A row in memory. */
interface OpenRow {
  readonly span: Span | "total"
  readonly at: number
  readonly counts: Counts
  /** Whether there is something to write. */
  changed: boolean
}

/** The Durable Object class that keeps counters, minute by minute. */
export class MetricsStore extends DurableObject<Env> {
  /** Rows that the last batches were for, so that none is parsed for each batch: mostly a minute, its hour and day, the total. */
  private readonly open = new Map<string, OpenRow>()
  private timer: ReturnType<typeof setTimeout> | null = null

  constructor(state: DurableObjectState, env: Env) {
    super(state, env)
    // Without a rowid the key is the table, and a write is not one of an index as well.
    state.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS counts (span TEXT NOT NULL, at INTEGER NOT NULL, sum TEXT NOT NULL, counts TEXT NOT NULL, PRIMARY KEY (span, at)) STRICT, WITHOUT ROWID",
    )
  }

  /** Adds what an isolate has counted: all of it, or nothing. */
  async add(delta: Delta): Promise<void> {
    const additions = [...delta].flatMap(([minute, counts]) =>
      this.rowsOf(minute * spanMilliseconds.minute).map((row) => ({ row, counts })),
    )
    // What can fail, reading rows, has been done by now.
    for (const { row, counts } of additions) {
      merge(row.counts, counts)
      row.changed = true
    }
    this.writeLater()
    if ((await this.ctx.storage.getAlarm()) === null) await this.sweepLater()
  }

  /** From `from` on and before `to`, both in milliseconds since the epoch at the beginning of a step. */
  read(from: number, to: number, step: Step): Read {
    this.write()
    const { sql } = this.ctx.storage
    const steps = new Map<number, number[]>()
    for (const row of sql.exec<{ at: number; sum: string }>(
      "SELECT at, sum FROM counts WHERE span = ? AND at >= ? AND at < ?",
      step,
      from,
      to,
    )) {
      steps.set(row.at, JSON.parse(row.sum) as number[])
    }
    const sum = noCounts()
    for (const part of covering(from, to)) {
      // Row by row: those of a busy deployment do not fit into memory at once.
      for (const row of sql.exec<{ counts: string }>(
        "SELECT counts FROM counts WHERE span = ? AND at >= ? AND at < ? ORDER BY at",
        part.span,
        part.from,
        part.to,
      )) {
        merge(sum, decodeCounts(row.counts))
      }
    }
    return { steps, sum }
  }

  /** All that was ever counted. Only grows. */
  totals(): Counts {
    this.write()
    return this.find("total", 0)
  }

  /** Forgets what is too old: whole days, so that their hours and minutes go with them. */
  override async alarm(): Promise<void> {
    this.write()
    const { sql } = this.ctx.storage
    const oldest = startOf(Date.now() - keptDays * spanMilliseconds.day, "day")
    sql.exec("DELETE FROM counts WHERE span <> 'total' AND at < ?", oldest)
    const [left] = sql.exec("SELECT 1 FROM counts WHERE span <> 'total' LIMIT 1")
    if (left) await this.sweepLater()
  }

  private sweepLater(): Promise<void> {
    return this.ctx.storage.setAlarm(Date.now() + spanMilliseconds.hour)
  }

  /** A timer, not an alarm: an object without one may be put to sleep after ten seconds, and its memory is gone. */
  private writeLater(): void {
    this.timer ??= setTimeout(
      () => this.write(),
      writeMilliseconds - (Date.now() % writeMilliseconds),
    )
  }

  /** Writes what has changed, all of it or nothing. Rows that have not changed since the last time leave memory. */
  private write(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    const changed = [...this.open.values()].filter((row) => row.changed)
    if (changed.length === 0) return
    const { storage } = this.ctx
    storage.transactionSync(() => {
      for (const { span, at, counts } of changed) {
        storage.sql.exec(
          "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?)",
          span,
          at,
          JSON.stringify(sumOf(counts)),
          encodeCounts(counts),
        )
      }
    })
    for (const [key, row] of this.open) {
      if (row.changed) row.changed = false
      else this.open.delete(key)
    }
  }

  /** The rows in which a minute is counted. */
  private rowsOf(at: number): OpenRow[] {
    return [...spans.map((span) => this.row(span, startOf(at, span))), this.row("total", 0)]
  }

  private row(span: OpenRow["span"], at: number): OpenRow {
    const key = `${span} ${at}`
    const known = this.open.get(key)
    if (known) return known
    const row = { span, at, counts: this.find(span, at), changed: false }
    this.open.set(key, row)
    return row
  }

  private find(span: OpenRow["span"], at: number): Counts {
    const [row] = this.ctx.storage.sql.exec<{ counts: string }>(
      "SELECT counts FROM counts WHERE span = ? AND at = ?",
      span,
      at,
    )
    return row ? decodeCounts(row.counts) : noCounts()
  }
}
