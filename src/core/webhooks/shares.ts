import type { Due } from "./due.ts"
import { type StoredEndpoint, standingOf } from "./stored-endpoint.ts"

/*
 * How much of what is due one turn takes up. No I/O.
 */

/** Owners whose endpoints one turn takes up. */
const ownersAtATime = 20
/** Bytes of records that one turn reads, beyond those of the first endpoint. */
const turnBytes = 4_000_000

/** What is due for the endpoints of one owner, by whose rights it is judged. */
export interface Share {
  readonly owner: string
  readonly endpoints: readonly { readonly endpoint: StoredEndpoint; readonly due: readonly Due[] }[]
}

/**
 * As much of it as one turn takes, and whether there is more.
 *
 * @param room characters that may still be handed over, beyond those of the first endpoint
 */
export function sharesOf(
  endpoints: readonly StoredEndpoint[],
  due: readonly Due[],
  room: number,
): { shares: Share[]; more: boolean } {
  const byEndpoint = Map.groupBy(due, ({ endpoint }) => endpoint)
  const shares = new Map<string, { endpoint: StoredEndpoint; due: Due[] }[]>()
  const lines = new Set<number | null>()
  let bytes = 0
  // What is read once is handed over as often as there are endpoints that hear of it.
  let handed = 0
  let more = false
  for (const endpoint of endpoints) {
    const own = byEndpoint.get(endpoint.id) ?? []
    for (const line of own) {
      if (!lines.has(line.seq)) bytes += line.bytes
      handed += line.bytes
    }
    const owner = JSON.stringify(standingOf(endpoint))
    const share = shares.get(owner)
    const fits = (share || shares.size < ownersAtATime) && bytes <= turnBytes && handed <= room
    if (shares.size > 0 && !fits) {
      more = true
      break
    }
    for (const { seq } of own) lines.add(seq)
    if (share) share.push({ endpoint, due: own })
    else shares.set(owner, [{ endpoint, due: own }])
  }
  return {
    shares: [...shares].map(([owner, endpoints]) => ({ owner, endpoints })),
    more,
  }
}
