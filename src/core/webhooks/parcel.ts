import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import type { LinkedCollections } from "../records/link.ts"
import type { View } from "../records/view.ts"
import { now } from "./announce.ts"
import type { Due, DueRow } from "./due.ts"
import { messageId, payloadOf } from "./payload.ts"
import type { Order } from "./sender.ts"
import type { StoredEndpoint } from "./stored-endpoint.ts"
import { testPayload } from "./test-event.ts"

/*
 * What one endpoint is handed at a time, made of what was read for all. No I/O.
 */

/** Why what is behind the events of a parcel cannot be told, for a reason of ours. */
export interface Obstacle {
  readonly error: unknown
}

export interface Parcel {
  readonly endpoint: StoredEndpoint
  /** In their order, each behind the one before it. */
  readonly events: readonly { readonly due: DueRow; readonly body: string }[]
  /** What is not for its owner to hear of. */
  readonly withheld: readonly DueRow[]
  readonly obstacle: Obstacle | null
  /** When what may be told was read, in milliseconds since the epoch. */
  readonly read: number
}

/** How fast endpoints are told, which is remembered from one parcel to the next. */
interface Pace {
  readonly rates: Map<string, { second: number; sent: number }>
  readonly resting: Map<string, number>
}

export const obstructed = (endpoint: StoredEndpoint, error: unknown): Parcel => ({
  endpoint,
  events: [],
  withheld: [],
  obstacle: { error },
  read: 0,
})

/**
 * Makes the parcels of one owner's endpoints: what two of them are told of a line with the same condition and fields is
 * made once.
 *
 * @param lines by their number, as `linesOf` has them
 */
export function parcelMaker(
  app: App,
  view: View,
  collections: LinkedCollections,
  lines: ReadonlyMap<number, Row>,
  pace: Pace,
  read: number,
): (endpoint: StoredEndpoint, due: readonly Due[]) => Parcel {
  const made = new Map<string, string | null>()
  const bodyOf = (endpoint: StoredEndpoint, due: DueRow): string | null => {
    if (due.seq === null) return JSON.stringify(testPayload(app, endpoint, due))
    // Of what it does not listen to any more, nothing is told.
    if (!subjectsOf([endpoint]).has(due.row.subject as string)) return null
    const key = JSON.stringify([due.seq, endpoint.filter, endpoint.fields])
    const known = made.get(key)
    if (known !== undefined) return known
    const payload = payloadOf(view, collections, due, endpoint)
    const body = payload && JSON.stringify(payload)
    made.set(key, body)
    return body
  }
  return (endpoint, all) => {
    const events: { due: DueRow; body: string }[] = []
    const withheld: DueRow[] = []
    let obstacle: Obstacle | null = null
    const { allowed, second } = allowance(app, endpoint, pace)
    for (const one of inTurn(app, endpoint, all)) {
      const due = { ...one, row: lines.get(one.seq ?? -1) ?? {} }
      try {
        const body = bodyOf(endpoint, due)
        if (body === null) {
          withheld.push(due)
          continue
        }
        if (events.length === allowed) {
          pace.resting.set(endpoint.id, (second + 1) * 1_000)
          break
        }
        events.push({ due, body })
      } catch (error) {
        obstacle = { error }
        break
      }
    }
    const before = pace.rates.get(endpoint.id)
    const sent = (before?.second === second ? before.sent : 0) + events.length
    pace.rates.set(endpoint.id, { second, sent })
    return { endpoint, events, withheld, obstacle, read }
  }
}

/** How many events it may still be sent in the second that it is. */
function allowance(app: App, { id, ratePerSecond }: StoredEndpoint, { rates }: Pace) {
  const second = Math.floor(app.now() / 1_000)
  const rate = rates.get(id)
  return { second, allowed: ratePerSecond - (rate?.second === second ? rate.sent : 0) }
}

/**
 * Those that have stepped aside come first, or a busy line would keep them for ever. While the endpoint fails, the head of
 * the line does: it shows whether the receiver takes anything at all, which those that were refused before do not.
 */
function inTurn(app: App, { failures }: StoredEndpoint, due: readonly Due[]): Due[] {
  const aside = due.filter(({ state }) => state === "retrying")
  const line = due.filter(({ state }) => state !== "retrying")
  // Whoever stands in line waits for the one before.
  const held = line.findIndex(({ nextAt }) => Date.parse(nextAt) > app.now())
  const ready = held < 0 ? line : line.slice(0, held)
  return failures === 0 ? [...aside, ...ready] : [...ready, ...aside]
}

/** Names of the collections that some of the endpoints listen to. */
export const subjectsOf = (endpoints: readonly StoredEndpoint[]): Set<string> =>
  new Set(
    endpoints.flatMap(({ events }) => events.map((type) => type.slice(0, type.lastIndexOf(".")))),
  )

/** What its object is told to send. */
export const orderOf = (
  app: App,
  { endpoint, events, read }: Parcel,
  freshMilliseconds: number,
): Order => ({
  endpoint: { id: endpoint.id, url: endpoint.url, headers: endpoint.headers },
  secrets: [
    endpoint.secret,
    ...(endpoint.previousSecret !== null && (endpoint.previousUntil ?? "") > now(app)
      ? [endpoint.previousSecret]
      : []),
  ],
  events: events.map(({ due, body }) => ({ id: messageId(endpoint.id, due.change), body })),
  freshUntil: read + freshMilliseconds,
})
