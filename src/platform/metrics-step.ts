/** Counters are kept by the minute and by the hour, for so long. */
export const keptDays = 30

export type Step = "minute" | "hour"

/** The length of a step. */
export const stepMilliseconds: Readonly<Record<Step, number>> = { minute: 60_000, hour: 3_600_000 }

/** When the step that holds this instant began; both in milliseconds since the epoch. */
export const startOfStep = (at: number, step: Step): number => at - (at % stepMilliseconds[step])
