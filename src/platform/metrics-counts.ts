/*
 * Counters as they are kept, sent and added up. No clock, no I/O.
 */

/** What is counted beside requests, and how each can end. */
export const outcomes = {
  jobs: ["succeeded", "failed", "dead", "cancelled"],
  mails: ["sent", "failed", "suppressed", "uncertain"],
  signIns: ["succeeded", "failed"],
} as const

export type Counter = keyof typeof outcomes
export type Outcome<Name extends Counter> = (typeof outcomes)[Name][number]

/** What a figure was counted for. */
export interface Series {
  readonly kind: "requests" | Counter
  /** A pattern of a route, a job, a template; empty for sign-ins. From the code, never from a caller. */
  readonly name: string
  /** The method of a request, the outcome of the rest. */
  readonly detail: string
  /** Id of an organisation, or empty. */
  readonly organisation: string
}

/** Figures by series (`seriesKey`): integers whose place says what they count, trailing zeros left out or not. */
export type Counts = Map<string, number[]>

/** Counts by the minute in which they happened, in minutes since the epoch. */
export type Delta = Map<number, Counts>

/** Stands for what is not told apart any more. No id and no route looks like it. */
export const other = "(other)"

/** So many series are told apart in one minute, hour or total, so that neither memory nor rows grow with the callers. */
export const maxSeries = 1_000

export const seriesKey = (
  kind: Series["kind"],
  name: string,
  detail: string,
  organisation: string,
): string => `${kind}\n${name}\n${detail}\n${organisation}`

export function parseSeries(key: string): Series {
  const [kind, name, detail, organisation] = key.split("\n") as [Series["kind"], ...string[]]
  return { kind, name: name ?? "", detail: detail ?? "", organisation: organisation ?? "" }
}

/**
 * The figures of a series, made when there are none. Beyond `max` series a new one is counted without its organisation,
 * and beyond twice as many without its name: the sums stay right.
 */
export function figuresOf(counts: Counts, key: string, max = maxSeries): number[] {
  const known = counts.get(key)
  if (known) return known
  const admitted = counts.size < max ? key : coarserKey(counts, key, max)
  const figures = counts.get(admitted) ?? []
  counts.set(admitted, figures)
  return figures
}

function coarserKey(counts: Counts, key: string, max: number): string {
  const { kind, name, detail } = parseSeries(key)
  const anyone = seriesKey(kind, name, detail, other)
  if (counts.has(anyone) || counts.size < 2 * max) return anyone
  return seriesKey(kind, other, detail, other)
}

/** Adds figure by figure; `into` may be shorter. */
export function addFigures(into: number[], figures: readonly number[]): void {
  for (let i = 0; i < figures.length; i++) into[i] = (into[i] ?? 0) + (figures[i] as number)
}

/** Adds all that `from` counted. While `max` is not reached, the order of merging makes no difference. */
export function merge(into: Counts, from: Counts, max = maxSeries): void {
  for (const [key, figures] of from) addFigures(figuresOf(into, key, max), figures)
}

/** The key under which a series is added up with all of its kind; outcomes stay apart. */
export const summaryKey = ({ kind, detail }: Series): string =>
  seriesKey(kind, "", kind === "requests" ? "" : detail, "")

/** The same counts, names and organisations added up. */
export function summarise(counts: Counts): Counts {
  const summary: Counts = new Map()
  for (const [key, figures] of counts) {
    addFigures(figuresOf(summary, summaryKey(parseSeries(key))), figures)
  }
  return summary
}

/** JSON without the trailing zeros: most requests are fast, so most histograms end early. */
export const encodeCounts = (counts: Counts): string =>
  JSON.stringify([...counts].map(([key, figures]) => [key, trimmed(figures)]))

export const decodeCounts = (text: string): Counts =>
  new Map(JSON.parse(text) as [string, number[]][])

const trimmed = (figures: readonly number[]): number[] =>
  figures.slice(0, figures.findLastIndex((figure) => figure !== 0) + 1)
