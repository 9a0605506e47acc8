import type { App, UserActor } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { describeError } from "../../platform/log.ts"
import { Problem } from "../../platform/problem.ts"
import { ExpressionError } from "../expression/error.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { findStandingActor } from "../identity/standing-actor.ts"
import type { LinkedCollections } from "../records/link.ts"
import { viewFor } from "../records/view.ts"
import { announcement, now, type Portion } from "./announce.ts"
import { type Due, dueQueries, lineQueries, linesOf } from "./due.ts"
import { type Automatic, disable, firstOf, type Results, recording } from "./endings.ts"
import { type Obstacle, obstructed, type Parcel, parcelMaker, subjectsOf } from "./parcel.ts"
import type { Answer } from "./sender.ts"
import { type Share, sharesOf } from "./shares.ts"
import { type StoredEndpoint, standingOf, storedEndpoint } from "./stored-endpoint.ts"

/*
 * Who is sent what, for all endpoints of a database at once. A turn takes two trips, however many endpoints there are: one
 * writes what became of the turn before, queues new lines of the log, and finds what is due; the other asks what of it may
 * be told, of each line once for each owner. A crash in between sends again what was sent, with the same ids.
 */

/** What is kept between two turns; all else is in the database. */
export interface Memory {
  /** Owners as of the last look: whether they still are is read beside what is asked for them. */
  readonly actors: Map<string, UserActor>
  /** Endpoints that were handed something of which nothing is written yet: how many characters, and until when at most. */
  readonly away: Map<string, { readonly characters: number; readonly until: number }>
  /** What came back, to be written in the next turns. */
  readonly returned: Returned[]
  /** How many events an endpoint was handed in the second that began at `second`. */
  readonly rates: Map<string, { second: number; sent: number }>
  /** Until when an endpoint is not looked at, in milliseconds since the epoch. */
  readonly resting: Map<string, number>
  /** How often in a row an endpoint could not be told for reasons of ours. */
  readonly stops: Map<string, number>
}

export const newMemory = (): Memory => ({
  actors: new Map(),
  away: new Map(),
  returned: [],
  rates: new Map(),
  resting: new Map(),
  stops: new Map(),
})

export type Returned = Results & { readonly obstacle: Obstacle | null }

export interface Turn {
  /** To be sent, each by the object of its endpoint, and given back by `giveBack`. */
  readonly parcels: readonly Parcel[]
  /** When the next turn is due, in milliseconds since the epoch; null when nothing waits but for what is away. */
  readonly next: number | null
  /** True while as much is away as memory may hold, and none of it is back: then only what comes back leads to more. */
  readonly full: boolean
}

/** Endpoints that one turn takes up. */
const endpointsAtATime: Record<Portion, number> = { all: 100, some: 4 }
/** Characters that are away. */
const awayCharacters = 16_000_000
/** What is away so long does not come back: its object has died. */
const awayMilliseconds = 60_000
/** What was read is as good as new for so long; then it is asked again before anything leaves. */
export const freshMilliseconds = 1_000
const firstStopMilliseconds = 10_000
const longestStopMilliseconds = 3_600_000

/** One trip, two where something is due, and two more for each owner who is not known yet. */
export async function takeTurn(
  app: App,
  collections: LinkedCollections,
  memory: Memory,
  portion: Portion = "all",
): Promise<Turn> {
  const returned = firstOf(memory.returned)
  const left = memory.returned.slice(returned.length)
  const { statements, ending } = recording(app, returned)
  const room = charactersAway(memory) > awayCharacters ? 0 : endpointsAtATime[portion]
  const others = [
    ...exceptions(app, memory, returned),
    ...[...left, ...ending].map(({ endpoint }) => endpoint.id),
  ]
  const rows = await app.db.batch([
    ...statements,
    ...announcement(app, portion),
    ...dueQueries(now(app), others, room),
  ])
  const [[announced] = [], endpoints = [], due = [], waiting = []] = rows.slice(-4)
  memory.returned.splice(0, returned.length)
  for (const one of returned) await settle(app, memory, one)
  let again = left.length > 0 || announced?.behind === 1
  for (const { endpoint, reason } of ending) {
    // Its deliveries were not looked at in this turn.
    if (!(await isDisabled(app, endpoint, reason))) again = true
  }
  const { shares, more } = sharesOf(
    endpoints.map(storedEndpoint),
    due as unknown as Due[],
    awayCharacters - charactersAway(memory),
  )
  const parcels = await judged(app, collections, memory, shares)
  const until = app.now() + awayMilliseconds
  for (const parcel of parcels) {
    memory.away.set(parcel.endpoint.id, { characters: charactersOf(parcel), until })
  }
  const idle = parcels.filter(({ events }) => events.length === 0)
  for (const parcel of idle) giveBack(memory, parcel, [])
  if (more || idle.length > 0) again = true
  const { at } = waiting[0] as { at: string | null }
  const moments = [
    ...memory.resting.values(),
    ...(again ? [app.now()] : []),
    ...(at === null ? [] : [Date.parse(at)]),
  ]
  return {
    parcels: parcels.filter(({ events }) => events.length > 0),
    next: moments.length > 0 ? Math.min(...moments) : null,
    full: left.length === 0 && charactersAway(memory) > awayCharacters,
  }
}

/** Endpoints that are not looked at. What is written in the same trip makes those free again that have no obstacle. */
function exceptions(app: App, { away, resting }: Memory, returned: readonly Returned[]): string[] {
  for (const [id, until] of resting) if (until <= app.now()) resting.delete(id)
  for (const [id, { until }] of away) if (until <= app.now()) away.delete(id)
  const free = new Set(
    returned.filter(({ obstacle }) => !obstacle).map(({ endpoint }) => endpoint.id),
  )
  return [...[...away.keys()].filter((id) => !free.has(id)), ...resting.keys()]
}

/** Takes back what became of a parcel: an answer for each of its events that was sent. */
export function giveBack(
  { returned }: Memory,
  { endpoint, events, withheld, obstacle }: Parcel,
  answers: readonly Answer[] | { readonly error: unknown },
): void {
  if ("error" in answers) returned.push({ endpoint, withheld, sent: [], obstacle: answers })
  else {
    const sent = events
      .slice(0, answers.length)
      .map((event, i) => ({ ...event, ...(answers[i] as Answer) }))
    returned.push({ endpoint, withheld, sent, obstacle })
  }
}

/** What follows for an endpoint once it is written what became of its parcel. */
async function settle(app: App, memory: Memory, { endpoint, obstacle }: Returned): Promise<void> {
  memory.away.delete(endpoint.id)
  if (!obstacle) return void memory.stops.delete(endpoint.id)
  if (obstacle.error instanceof ExpressionError && (await isDisabled(app, endpoint, "filter")))
    return
  const stops = memory.stops.get(endpoint.id) ?? 0
  memory.stops.set(endpoint.id, stops + 1)
  const idle = Math.min(firstStopMilliseconds * 2 ** stops, longestStopMilliseconds)
  memory.resting.set(endpoint.id, app.now() + idle)
  app.log("error", "webhook sender stopped", {
    endpoint: endpoint.id,
    stops,
    error: describeError(obstacle.error),
  })
}

/** False where it could not be, or has changed: what led to it is seen again at its next delivery. */
async function isDisabled(app: App, endpoint: StoredEndpoint, reason: Automatic): Promise<boolean> {
  try {
    return await disable(app, endpoint, reason)
  } catch (error) {
    app.log("error", "webhook endpoint not disabled", {
      endpoint: endpoint.id,
      reason,
      error: describeError(error),
    })
    return false
  }
}

/** What cannot be asked for all at once is asked for each: the line of one must not hold up the others. */
async function judged(
  app: App,
  collections: LinkedCollections,
  memory: Memory,
  shares: readonly Share[],
): Promise<Parcel[]> {
  if (shares.length === 0) return []
  try {
    return await ask(app, collections, memory, shares)
  } catch (error) {
    if (error instanceof Problem && error.code === "overloaded") throw error
    const single = shares.flatMap(({ owner, endpoints }) =>
      endpoints.map((one) => ({ owner, endpoints: [one] })),
    )
    const [only, ...others] = single
    if (only && others.length === 0) {
      return only.endpoints.map(({ endpoint }) => obstructed(endpoint, error))
    }
    const parcels: Parcel[] = []
    for (const share of single) parcels.push(...(await judged(app, collections, memory, [share])))
    return parcels
  }
}

async function ask(
  app: App,
  collections: LinkedCollections,
  memory: Memory,
  shares: readonly Share[],
): Promise<Parcel[]> {
  const parcels: Parcel[] = []
  let open = shares
  for (let look = 0; look < 3 && open.length > 0; look++) {
    const read = app.now()
    const questions = (await withActors(app, memory, open)).map(({ share, actor }) => {
      const view = viewFor(app, actor, collections)
      const seqs = share.endpoints.flatMap(({ due }) =>
        due.flatMap(({ seq }) => (seq === null ? [] : [seq])),
      )
      const subjects = subjectsOf(share.endpoints.map(({ endpoint }) => endpoint))
      const lines = lineQueries(view, collections, [...new Set(seqs)], subjects)
      return { share, actor, view, statements: [epochProbe(actor), ...lines] }
    })
    if (questions.length === 0) return parcels
    const rows = await app.db.batch(questions.flatMap(({ statements }) => statements))
    open = []
    for (const { share, actor, view, statements } of questions) {
      const [epoch, ...found] = rows.splice(0, statements.length)
      if (!isCurrent(actor, epoch)) {
        memory.actors.delete(share.owner)
        open = [...open, share]
        continue
      }
      const make = parcelMaker(app, view, collections, linesOf(found), memory, read)
      for (const { endpoint, due } of share.endpoints) {
        parcels.push(make(endpoint, due))
      }
    }
  }
  // They keep changing, or a database lags behind: later.
  for (const { endpoint } of open.flatMap(({ endpoints }) => endpoints)) {
    parcels.push(obstructed(endpoint, new Problem("overloaded")))
  }
  return parcels
}

/** Those whose owner is there, with whom they are now; the endpoints of others are disabled. */
async function withActors(
  app: App,
  { actors }: Memory,
  shares: readonly Share[],
): Promise<{ share: Share; actor: UserActor }[]> {
  const found: { share: Share; actor: UserActor }[] = []
  for (const share of shares) {
    const [first] = share.endpoints
    if (!first) continue
    const actor =
      actors.get(share.owner) ?? (await findStandingActor(app, standingOf(first.endpoint)))
    if (actor) {
      actors.set(share.owner, actor)
      found.push({ share, actor })
    } else {
      for (const { endpoint } of share.endpoints) await disable(app, endpoint, "owner")
    }
  }
  return found
}

function isCurrent(actor: UserActor, rows: readonly Row[] | undefined): boolean {
  try {
    assertEpoch(actor, rows)
    return true
  } catch {
    return false
  }
}

const charactersAway = ({ away }: Memory): number =>
  [...away.values()].reduce((sum, { characters }) => sum + characters, 0)

const charactersOf = ({ events }: Parcel): number =>
  events.reduce((sum, { body }) => sum + body.length, 0)
