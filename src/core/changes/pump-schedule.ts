/** Lines read from the log at a time. */
export const batchSize = 100

const maxAttempts = 12

/** Tried often enough, over some 70 minutes: the line is put aside. */
export const isExhausted = (attempts: number): boolean => attempts >= maxAttempts

/** 1 s after the first failure, doubling, 30 minutes at most. */
export const backoffMilliseconds = (attempts: number): number =>
  Math.min(1_000 * 2 ** (attempts - 1), 30 * 60_000)

/** Until the next look at a log that could not be read. */
export const idleMilliseconds = 30_000
