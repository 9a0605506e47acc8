import type { Cost } from "./database.ts"
import {
  addFigures,
  type Counter,
  type Delta,
  figuresOf,
  merge,
  type Outcome,
  seriesKey,
} from "./metrics-counts.ts"
import { bounds, bucketOf, firstBucket, place } from "./metrics-figures.ts"

/*
 * What this isolate has counted and not yet sent. Module-level on purpose: these are counters over all requests of the
 * isolate, and hold nothing of any of them. No clock, no I/O.
 */
const pending: Delta = new Map()

/** So many minutes are kept while they cannot be sent. */
const maxMinutes = 5
const maxLabelCharacters = 100

/** The labels of each counter, beside the organisation. */
export interface Labels {
  jobs: { readonly job: string; readonly outcome: Outcome<"jobs"> }
  mails: { readonly template: string; readonly outcome: Outcome<"mails"> }
  signIns: { readonly outcome: Outcome<"signIns"> }
}

/** Counts one event. Names come from the code, never from a caller. */
export type Count = <Name extends Counter>(
  counter: Name,
  labels: Labels[Name] & { readonly organisation?: string | null },
) => void

/** A request that has been answered. */
export interface Answered {
  /** When it came, in milliseconds since the epoch. */
  readonly at: number
  readonly milliseconds: number
  readonly method: string
  /** The pattern that matched, never the path itself: there are as many of them as routes. */
  readonly route: string
  readonly organisation: string | null
  readonly status: number
  /** Null for what was refused before it could cost anything. */
  readonly cost: Cost | null
}

/** On the hot path: one text, two look-ups, a few additions. */
export function countRequest(answered: Answered): void {
  const { status, milliseconds, cost } = answered
  const key = seriesKey("requests", answered.route, answered.method, answered.organisation ?? "")
  const figures = figuresOf(countsAt(answered.at), key)
  // Whole from the start, so that the array never has holes and never changes its kind.
  if (figures.length === 0) for (let i = 0; i < figuresLength; i++) figures.push(0)
  increase(figures, place.requests, 1)
  if (status >= 500) increase(figures, place.serverErrors, 1)
  else if (status >= 400) increase(figures, place.clientErrors, 1)
  increase(figures, place.microseconds, Math.round(milliseconds * 1_000))
  increase(figures, firstBucket + bucketOf(milliseconds), 1)
  if (!cost) return
  increase(figures, place.trips, cost.trips)
  increase(figures, place.rowsRead, cost.rowsRead)
  increase(figures, place.rowsWritten, cost.rowsWritten)
}

/** Counts one event that happened at `at`, in milliseconds since the epoch. */
export function countEvent(at: number, ...[counter, labels]: Parameters<Count>): void {
  const name = "job" in labels ? labels.job : "template" in labels ? labels.template : ""
  const key = seriesKey(counter, label(name), labels.outcome, label(labels.organisation ?? ""))
  addFigures(figuresOf(countsAt(at), key), [1])
}

/** All that was counted since the last time; from now on it is the caller's. */
export function drain(): Delta {
  const delta: Delta = new Map(pending)
  pending.clear()
  return delta
}

/** Takes back what could not be sent. What is too old by then is lost, so that memory stays flat. */
export function restore(delta: Delta): void {
  for (const [minute, counts] of delta) merge(countsAt(minute * 60_000), counts)
  const minutes = [...pending.keys()].sort((a, b) => a - b)
  for (const minute of minutes.slice(0, -maxMinutes)) pending.delete(minute)
}

const figuresLength = firstBucket + bounds.length + 1

function countsAt(at: number) {
  const minute = Math.floor(at / 60_000)
  const known = pending.get(minute)
  if (known) return known
  const counts = new Map<string, number[]>()
  pending.set(minute, counts)
  return counts
}

function increase(figures: number[], at: number, by: number): void {
  figures[at] = (figures[at] as number) + by
}

/** A line break would make another series of it. */
const label = (text: string): string => text.replaceAll("\n", " ").slice(0, maxLabelCharacters)
