/** Choices that a seed repeats, so that what a test found can be found again. */
export interface Choices {
  readonly seed: number
  below(limit: number): number
  pick<T>(from: readonly T[]): T
  chance(percent: number): boolean
  shuffle<T>(from: readonly T[]): T[]
}

/** mulberry32 */
export function choicesFrom(seed: number): Choices {
  let state = seed >>> 0
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T
  return {
    seed,
    below,
    pick,
    chance: (percent) => below(100) < percent,
    shuffle(from) {
      const rest = [...from]
      return Array.from(from, () => rest.splice(below(rest.length), 1)[0] as (typeof rest)[number])
    },
  }
}

export const randomSeed = (): number => Date.now() % 2 ** 31
