import { addFigures, type Counts, type Delta, merge, noCounts } from "./metrics-counts.ts"
import type { Step } from "./metrics-step.ts"
import type { Read } from "./metrics-store.ts"

/*
 * The deployment's counters lie in a few objects, so that no single one hears from every isolate of the world: an isolate
 * always writes to the same one, and who reads adds them up. A Durable Object takes some hundred calls a second; each
 * isolate makes one in five seconds, so four objects stand behind several thousand busy isolates.
 */
const shards = 4

/** As much of an object that keeps counters (metrics-store.ts) as others may call. */
export interface Store {
  add(delta: Delta): Promise<void>
  read(from: number, to: number, step: Step): Promise<Read>
  totals(): Promise<Counts>
}

let drawn: number | undefined

/** The object that this isolate writes to, drawn at its first batch; null where there is none (command-line tools). */
export function ownStore(env: object): Store | null {
  const namespace = namespaceOf(env)
  if (!namespace) return null
  drawn ??= Math.floor(Math.random() * shards)
  return storeAt(namespace, drawn)
}

/** All of the deployment's objects; null where there are none. */
export function allStores(env: object): Store[] | null {
  const namespace = namespaceOf(env)
  return namespace && Array.from({ length: shards }, (_, shard) => storeAt(namespace, shard))
}

/** What all of them counted in a stretch of time. */
export async function readAll(
  stores: readonly Store[],
  from: number,
  to: number,
  step: Step,
): Promise<Read> {
  const reads = await Promise.all(stores.map((store) => store.read(from, to, step)))
  const steps: Read["steps"] = new Map()
  for (const read of reads) {
    for (const [at, figures] of read.steps) {
      const sum = steps.get(at) ?? []
      addFigures(sum, figures)
      steps.set(at, sum)
    }
  }
  return { steps, sum: addUp(reads.map(({ sum }) => sum)) }
}

/** What all of them counted since the beginning. Only grows. */
export const totalsOf = async (stores: readonly Store[]): Promise<Counts> =>
  addUp(await Promise.all(stores.map((store) => store.totals())))

/** Each is limited already. A limit here would let a series vanish from the totals when another object finds a new one. */
function addUp(parts: readonly Counts[]): Counts {
  const sum = noCounts()
  for (const part of parts) merge(sum, part, Number.POSITIVE_INFINITY)
  return sum
}

const namespaceOf = (env: object): DurableObjectNamespace | null =>
  (env as { METRICS?: DurableObjectNamespace }).METRICS ?? null

const storeAt = (namespace: DurableObjectNamespace, shard: number): Store =>
  namespace.get(namespace.idFromName(`metrics-${shard}`)) as unknown as Store
