import type { Cost } from "./database.ts"
import {
  type Counts,
  type Delta,
  figuresOfName,
  figuresOfOrganisation,
  merge,
  nameKey,
  noCounts,
} from "./metrics-counts.ts"
import {
  bounds,
  bucketOf,
  type Counter,
  firstBucket,
  type Outcome,
  outcomePlace,
  place,
} from "./metrics-figures.ts"

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

/** On the hot path: one text, three look-ups, a few additions. */
export function countRequest(answered: Answered): void {
  const counts = countsAt(answered.at)
  const key = nameKey("requests", answered.route, answered.method)
  addRequest(figuresOfName(counts, key), answered)
  addRequest(figuresOfOrganisation(counts, answered.organisation ?? ""), answered)
}

function addRequest(figures: number[], { status, milliseconds, cost }: Answered): void {
  fill(figures)
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
  const counts = countsAt(at)
  const organisation = label(labels.organisation ?? "")
  for (const figures of [
    figuresOfName(counts, nameKey(counter, label(name))),
    figuresOfOrganisation(counts, organisation),
  ]) {
    fill(figures)
    increase(figures, outcomePlace(counter, labels.outcome), 1)
  }
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

function countsAt(at: number): Counts {
  const minute = Math.floor(at / 60_000)
  const known = pending.get(minute)
  if (known) return known
  const counts = noCounts()
  pending.set(minute, counts)
  return counts
}

/** Whole from the start, so that the array never has holes and never changes its kind. */
function fill(figures: number[]): void {
  while (figures.length < figuresLength) figures.push(0)
}

function increase(figures: number[], at: number, by: number): void {
  figures[at] = (figures[at] as number) + by
}

/** A line break would make another series of it. */
const label = (text: string): string => text.replaceAll("\n", " ").slice(0, maxLabelCharacters)
