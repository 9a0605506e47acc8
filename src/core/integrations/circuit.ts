/*
 * When a service that does not answer is left alone. No clock, no I/O. Each isolate learns it by itself: it saves waiting,
 * and is no exact count, which would cost every call a trip.
 */

/** So many failures in a row open the circuit. */
const failuresToOpen = 5

/** For so long nobody calls; then one call tries. */
const openMilliseconds = 30_000

export interface Circuit {
  /** In a row. */
  readonly failures: number
  /** Until then nobody calls; 0 when it is closed. */
  readonly openUntil: number
}

export const closed: Circuit = { failures: 0, openUntil: 0 }

export const isOpen = ({ openUntil }: Circuit, now: number): boolean => now < openUntil

/** Before a call: the first one after the pause keeps others away until its outcome is known. */
export const entered = (circuit: Circuit, now: number): Circuit =>
  circuit.failures >= failuresToOpen ? { ...circuit, openUntil: now + openMilliseconds } : circuit

export function failed({ failures }: Circuit, now: number): Circuit {
  const more = failures + 1
  return { failures: more, openUntil: more >= failuresToOpen ? now + openMilliseconds : 0 }
}
