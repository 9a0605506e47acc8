import { setTimeout as sleep } from "node:timers/promises"

/** What the writers know: every turn is in one of these, or nobody knows what became of it. */
export interface Ledger {
  readonly acknowledged: Set<number>
  /** Never to be written, whether the refusal arrived or not. */
  readonly refused: Set<number>
  /** Refusals that arrived, by their status. */
  readonly refusals: Map<number, number>
  /** Answers that nobody should get. */
  readonly unexpected: string[]
}

export interface Writers {
  readonly ledger: Ledger
  stop(): Promise<void>
}

interface Errand {
  readonly id: string
  readonly number: number
  readonly version: number
}

/** Writes to a server that dies at any time, on several connections, until `stop`. */
export function startWriters(url: string, writers: number): Writers {
  const ledger: Ledger = {
    acknowledged: new Set(),
    refused: new Set(),
    refusals: new Map(),
    unexpected: [],
  }
  let turns = 0
  let stopped = false

  async function write(): Promise<void> {
    /** What this writer wrote last; nobody else touches it. */
    let last: Errand | null = null
    while (!stopped) {
      const turn = ++turns
      const attempt = attemptOf(turn, last)
      if (attempt.refusal) ledger.refused.add(turn)
      try {
        const response: Response = await fetch(url + attempt.path, {
          method: attempt.method,
          headers: { "content-type": "application/json", ...attempt.headers },
          body: JSON.stringify({ turn, ...attempt.fields }),
        })
        const answer = await response.json()
        if (response.status !== (attempt.refusal ?? attempt.success)) {
          ledger.unexpected.push(`${response.status} ${JSON.stringify(answer)}`)
          last = null
        } else if (attempt.refusal) {
          ledger.refusals.set(attempt.refusal, (ledger.refusals.get(attempt.refusal) ?? 0) + 1)
        } else {
          ledger.acknowledged.add(turn)
          last = answer as Errand
        }
      } catch {
        // The connection died with the server: nobody knows whether the write was made, or which version stands.
        if (!attempt.refusal) last = null
        await sleep(5)
      }
    }
  }
  const done = Promise.all(Array.from({ length: writers }, write))
  return {
    ledger,
    stop() {
      stopped = true
      return done.then(() => {})
    },
  }
}

interface Attempt {
  readonly method: "POST" | "PATCH"
  readonly path: string
  readonly headers?: Record<string, string>
  readonly fields?: { number: number }
  readonly success?: 201 | 200
  /** The status of one that breaks a rule. */
  readonly refusal?: 401 | 409 | 412
}

/** Mostly a new errand; of ten writes, one changes the last errand, and three are to be refused. */
function attemptOf(turn: number, last: Errand | null): Attempt {
  const create = { method: "POST", path: "/records/errands" } as const
  const kind = turn % 10
  if (kind === 0) return { ...create, fields: { number: -turn }, refusal: 401 }
  if (last) {
    const update = { method: "PATCH", path: `/records/errands/${last.id}` } as const
    if (kind === 1) return { ...create, fields: { number: last.number }, refusal: 409 }
    if (kind === 2) return { ...update, headers: ifMatch(last.version - 1), refusal: 412 }
    if (kind === 3) return { ...update, headers: ifMatch(last.version), success: 200 }
  }
  return { ...create, fields: { number: turn }, success: 201 }
}

const ifMatch = (version: number) => ({ "if-match": `"${version}"` })
