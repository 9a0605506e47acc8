/** Counters are kept by the minute and by the hour, for so long. */
export const keptDays = 30

export type Step = "minute" | "hour"

/** What a row counts: days as well, so that reading a month does not mean reading all of its hours. */
export type Span = Step | "day"

/** The length of a span; each holds whole ones of the next shorter. */
export const spanMilliseconds: Readonly<Record<Span, number>> = {
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
}
export const spans = Object.keys(spanMilliseconds) as readonly Span[]

/** When the span that holds this instant began; both in milliseconds since the epoch. */
export const startOf = (at: number, span: Span): number => at - (at % spanMilliseconds[span])

/** From the beginning of one span to that of another, in milliseconds since the epoch. */
export interface Stretch {
  readonly span: Span
  readonly from: number
  readonly to: number
}

/**
 * The longest spans that make up a stretch of whole minutes: days where they lie within it, hours around them, minutes
 * at the edges. Thirty days are at most 30 days, 46 hours and 118 minutes. No clock, no I/O.
 */
export function covering(from: number, to: number, among = spans): Stretch[] {
  const [span, ...shorter] = among
  if (span === undefined || from >= to) return []
  const first = startOf(from + spanMilliseconds[span] - 1, span)
  const last = startOf(to, span)
  if (first >= last) return covering(from, to, shorter)
  return [
    ...covering(from, first, shorter),
    { span, from: first, to: last },
    ...covering(last, to, shorter),
  ]
}
