import type { Counter } from "./metrics-figures.ts"

/*
 * Counters as they are kept, sent and added up. No clock, no I/O.
 */

/** Figures by series: integers whose place says what they count (metrics-figures.ts), trailing zeros left out or not. */
export type Series = Map<string, number[]>

/**
 * Everything is counted twice, in two families: by what it was, and by whom it was for. Counted together, thirty routes
 * and thirty-five organisations would be a thousand series. Sums come from `names` alone.
 */
export interface Counts {
  /** By `nameKey`. There are as many as the code has routes, jobs and templates. */
  readonly names: Series
  /** By id of the organisation, or empty for none. */
  readonly organisations: Series
}

/** Counts by the minute in which they happened, in minutes since the epoch. */
export type Delta = Map<number, Counts>

export interface Name {
  readonly kind: "requests" | Counter
  /** A pattern of a route, a job, a template; empty for sign-ins. From the code, never from a caller. */
  readonly name: string
  /** Of requests; empty for the rest. */
  readonly method: string
}

/** Stands for what is not told apart any more. No id and no route looks like it. */
export const other = "(other)"

/**
 * So many series of each family are told apart in one minute, hour, day or total, so that neither memory nor rows grow
 * with the callers.
 */
export const maxSeries = 1_000

export const noCounts = (): Counts => ({ names: new Map(), organisations: new Map() })

export const nameKey = (kind: Name["kind"], name: string, method = ""): string =>
  `${kind}\n${method}\n${name}`

export function parseName(key: string): Name {
  const [kind, method = "", name = ""] = key.split("\n") as [Name["kind"], ...string[]]
  return { kind, method, name }
}

/** The figures of a name, made when there are none; beyond `max` names those of all others of its kind and method. */
export function figuresOfName({ names }: Counts, key: string, max = maxSeries): number[] {
  const known = names.get(key)
  if (known) return known
  if (names.size < max) return figuresOf(names, key)
  const { kind, method } = parseName(key)
  return figuresOf(names, nameKey(kind, other, method))
}

/** The figures of an organisation, made when there are none; beyond `max` organisations those of all others. */
export const figuresOfOrganisation = (
  { organisations }: Counts,
  id: string,
  max = maxSeries,
): number[] =>
  organisations.get(id) ?? figuresOf(organisations, organisations.size < max ? id : other)

function figuresOf(series: Series, key: string): number[] {
  const known = series.get(key)
  if (known) return known
  const figures: number[] = []
  series.set(key, figures)
  return figures
}

/** Adds figure by figure; `into` may be shorter. */
export function addFigures(into: number[], figures: readonly number[]): void {
  for (let i = 0; i < figures.length; i++) into[i] = (into[i] ?? 0) + (figures[i] as number)
}

/** Adds all that `from` counted. While `max` is not reached, the order of merging makes no difference. */
export function merge(into: Counts, from: Counts, max = maxSeries): void {
  for (const [key, figures] of from.names) addFigures(figuresOfName(into, key, max), figures)
  for (const [id, figures] of from.organisations) {
    addFigures(figuresOfOrganisation(into, id, max), figures)
  }
}

/** All that was counted, each thing once. */
export function sumOf({ names }: Counts): number[] {
  const sum: number[] = []
  for (const figures of names.values()) addFigures(sum, figures)
  return sum
}

/** JSON without the trailing zeros: most requests are fast, so most histograms end early. */
export const encodeCounts = ({ names, organisations }: Counts): string =>
  JSON.stringify([names, organisations].map(encodeSeries))

export function decodeCounts(text: string): Counts {
  const [names, organisations] = JSON.parse(text) as [string, number[]][][]
  return { names: new Map(names), organisations: new Map(organisations) }
}

const encodeSeries = (series: Series): [string, number[]][] =>
  [...series].map(([key, figures]) => [key, trimmed(figures)])

const trimmed = (figures: readonly number[]): number[] =>
  figures.slice(0, figures.findLastIndex((figure) => figure !== 0) + 1)
