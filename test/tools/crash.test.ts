import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Bundle, bundleWorker } from "../../src/tools/bundle.ts"
import { startCrashServer } from "../support/crash-server.ts"
import { startWorld, type World } from "../support/crash-world.ts"
import { type Ledger, startWriters } from "../support/crash-writers.ts"

/** As often as we promise with `npm run test:crash`, which takes minutes; an eighth of it among all tests. */
const [kills, writes] = process.env.CRASH === "full" ? [200, 5_000] : [25, 625]

const directory = mkdtempSync(join(tmpdir(), "crash-"))
const state = join(directory, "state")
let bundle: Bundle
let world: World

beforeAll(async () => {
  bundle = await bundleWorker("test/support/crash-worker.ts", join(directory, "bundle"))
  world = await startWorld()
})
afterAll(() => {
  world.close()
  rmSync(directory, { recursive: true, force: true })
})

test(`killed ${kills} times during ${writes} writes: what is committed is followed up, what is refused is not`, async ({
  annotate,
}) => {
  const started = performance.now()
  const ledger = await writeAmidKills()
  const killed = performance.now()
  const { changes, errands, jobs, steps, deliveries, receipts } = await readWhenDone()
  const ended = performance.now()
  const committed = turnsOf(changes)
  await annotate(
    JSON.stringify({
      kills,
      killingSeconds: Math.round((killed - started) / 1_000),
      endingSeconds: Math.round((ended - killed) / 1_000),
      acknowledged: ledger.acknowledged.size,
      committed: committed.length,
      refused: ledger.refused.size,
      refusals: Object.fromEntries(ledger.refusals),
      jobs: jobs.length,
      jobsOfRefusedWrites: jobs.filter(({ turn }) => ledger.refused.has(turn)).length,
      runsThatDied: sum(jobs.map(({ runs }) => runs)) - jobs.length,
      effectsGuardedByTheKey: deliveries.length,
      unguardedEffectsRepeated: sum([...world.departed.values()].map((times) => times - 1)),
      stepsRepeated: sum([...world.packed.values()].map((times) => times - 1)),
    }),
  )

  expect(ledger.unexpected).toEqual([])
  expect([...ledger.refusals.keys()].toSorted()).toEqual([401, 409, 412])
  expect(ledger.acknowledged.size).toBeGreaterThanOrEqual(writes)
  // Nothing acknowledged is lost; whatever is committed is whole, whether its answer arrived or not.
  expect(compare(committed, [...ledger.acknowledged]).missing).toEqual([])
  expect(committed.filter((turn) => ledger.refused.has(turn))).toEqual([])
  const created = changes.filter(({ kind }) => kind === "created").map(({ record }) => record)
  expect(compare(idsOf(errands), created)).toEqual(same)
  // One job a write, and none of a write that was refused or rolled back.
  expect(jobs.filter(({ state }) => state !== "succeeded")).toEqual([])
  expect(compare(turnsOf(jobs), committed)).toEqual(same)
  expect(steps).toBe(0)
  // At least once what nothing guards; once what the key guards, and what follows the commit; no step that was kept.
  expect(compare([...world.departed.keys()], committed)).toEqual(same)
  expect(compare(turnsOf(deliveries), committed)).toEqual(same)
  expect(compare(idsOf(receipts), idsOf(changes))).toEqual(same)
  expect(world.packedAgain).toEqual([])
}, 1_200_000)

/** Kills at random moments of the work, evenly over all writes. What the last one leaves has its leases before it. */
async function writeAmidKills(): Promise<Ledger> {
  const server = await startCrashServer(bundle, state, world.url)
  const { ledger, stop } = startWriters(server.url, 8)
  for (let round = 1; round <= kills; round++) {
    const last = round === kills
    const due = last ? writes : ((round - Math.random()) * writes) / kills
    while (ledger.acknowledged.size < due && ledger.unexpected.length === 0) await sleep(1)
    // Not always when a write was just acknowledged.
    await sleep(Math.random() * 20)
    await (last ? server.stop() : server.kill())
  }
  await stop()
  return ledger
}

/** Starts once more, waits until nothing is left to be done, and reads all. */
async function readWhenDone() {
  const server = await startCrashServer(bundle, state, world.url)
  const { url, database } = server
  const read = async <Row>(sql: string): Promise<Row[]> =>
    (await database.prepare(sql).all<Row>()).results
  const count = (of: string) =>
    database.prepare(`SELECT count(*) AS count FROM ${of}`).first("count")
  try {
    await fetch(`${url}/health`)
    const open = () =>
      Promise.all([
        count("jobs WHERE finishedAt IS NULL"),
        count("changes WHERE subject = 'errands' AND id NOT IN (SELECT cause FROM receipts)"),
      ])
    await expect.poll(open, { timeout: 600_000, interval: 500 }).toEqual([0, 0])
    return {
      changes: await read<{ id: string; record: string; kind: string; turn: number }>(
        "SELECT id, record, kind, payload ->> 'turn' AS turn FROM changes WHERE subject = 'errands'",
      ),
      errands: await read<{ id: string }>("SELECT id FROM errands"),
      jobs: await read<{ turn: number; state: string; runs: number; error: string | null }>(
        "SELECT payload ->> 'turn' AS turn, state, runs, error FROM jobs WHERE name = 'errand.run'",
      ),
      steps: await count("job_steps"),
      deliveries: await read<{ turn: number }>("SELECT turn FROM deliveries"),
      receipts: await read<{ id: string }>("SELECT cause AS id FROM receipts"),
    }
  } finally {
    await server.stop()
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

const turnsOf = (rows: readonly { turn: number }[]): number[] => rows.map(({ turn }) => turn)
const idsOf = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id)

/** How one list differs from another, in which nothing comes twice. */
function compare<Value>(actual: readonly Value[], expected: readonly Value[]) {
  const present = new Set(actual)
  const wanted = new Set(expected)
  return {
    missing: expected.filter((value) => !present.has(value)),
    surplus: actual.filter((value) => !wanted.has(value)),
    twice: actual.filter((value, at) => actual.indexOf(value) !== at),
  }
}

const same = { missing: [], surplus: [], twice: [] }
