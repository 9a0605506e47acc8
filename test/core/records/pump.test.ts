import {
  createScheduledController,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test"
import { env } from "cloudflare:workers"
import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { backoffMilliseconds, isExhausted } from "../../../src/core/changes/pump-schedule.ts"
import type { CommittedChange } from "../../../src/core/records/collection.ts"
import { importRecords } from "../../../src/core/records/import.ts"
import { type LinkedCollection, linkCollections } from "../../../src/core/records/link.ts"
import { system } from "../../../src/platform/app.ts"
import { deliveries, fixtures, tags } from "../../support/collections.ts"
import { eventually } from "../../support/eventually.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import worker from "../../support/worker.ts"
import { create, type Json, linesOf, patch, query } from "./cast.ts"
import { toolApp } from "./workshop.ts"

let alice: Person
let root: Person
let heard: CommittedChange[]
const stub = env.CHANGE_PUMP.get(env.CHANGE_PUMP.idFromName("main"))

beforeAll(async () => {
  alice = await signedIn("alice")
  root = await signedIn("root", ["administrator"])
})
beforeEach(() => {
  heard = []
  deliveries.listen = (_, change) => void heard.push(change)
})

/** The alarm goes off by itself; here it is not waited for. */
async function settle(): Promise<void> {
  for (let n = 0; n < 20 && (await runDurableObjectAlarm(stub)); n++);
}
const status = () => stub.status()
const lastSeq = async () => (await query("SELECT max(seq) AS seq FROM changes"))[0]?.seq

describe("afterCommit", () => {
  test("hears each change once, in order, with the image after it (before it, for a deletion)", async () => {
    const parcel = await create(alice, "parcels", { label: "a" })
    await patch(alice, "parcels", parcel.id, { label: "b" })
    await call(alice, "DELETE", `/records/parcels/${parcel.id}`)
    await eventually(() => expect(heard).toHaveLength(3))
    await settle()
    const lines = await linesOf(parcel.id)
    expect(heard.map(({ seq, kind, version, image }) => [seq, kind, version, image.label])).toEqual(
      [
        [lines[0]?.seq, "created", 1, "a"],
        [lines[1]?.seq, "updated", 2, "b"],
        [lines[2]?.seq, "deleted", 3, "b"],
      ],
    )
    expect(heard[0]).toMatchObject({
      subject: "parcels",
      record: parcel.id,
      actor: alice.id,
      organisation: null,
    })
  })

  test("does not hear what others listen to, or what changed nothing", async () => {
    await create(alice, "tags", { name: "silent" })
    const parcel = await create(alice, "parcels", { label: "x" })
    await patch(alice, "parcels", parcel.id, { label: "x" })
    await eventually(() => expect(heard).toHaveLength(1))
    await settle()
    expect(heard).toHaveLength(1)
    expect((await status()).cursor).toBe(await lastSeq())
  })

  test("of more than a page of lines goes on until the last", async () => {
    const collections = linkCollections(fixtures)
    const app = toolApp()
    const made = await importRecords(
      app,
      system,
      collections,
      collections.get("parcels") as LinkedCollection,
      Array.from({ length: 250 }, (_, n) => ({ input: { label: `p${n}` } })),
    )
    await stub.poke("main")
    await eventually(() => expect(heard).toHaveLength(250))
    expect(heard.map(({ record }) => record)).toEqual(made)
  })

  test("may write, as the system", async () => {
    deliveries.listen = async (_, change, { records }) => {
      heard.push(change)
      const name = `for ${change.image.label}`
      if (change.kind === "created") await records.create(tags, { name })
    }
    await create(alice, "parcels", { label: "tagged" })
    await eventually(() => expect(heard).toHaveLength(1))
    await settle()
    const [tag] = await query("SELECT id FROM tags WHERE name = 'for tagged'")
    expect(await linesOf(tag?.id as string)).toMatchObject([{ actor: null, authority: "system" }])
  })

  test("picks up what was committed while nobody poked, with the next schedule", async () => {
    const collections = linkCollections(fixtures)
    // As when the process dies between the commit and the poke.
    await importRecords(
      { ...toolApp(), wake() {} },
      system,
      collections,
      collections.get("parcels") as LinkedCollection,
      [{ input: { label: "lost" } }],
    )
    await settle()
    expect(heard).toEqual([])
    await worker.scheduled(createScheduledController(), env)
    await eventually(() => expect(heard.map(({ image }) => image.label)).toEqual(["lost"]))
  })
})

describe("a listener that throws", () => {
  /** Refuses the parcel of that label so many times. */
  const failing = (label: string, times: number) => {
    let left = times
    deliveries.listen = (_, change) => {
      if (change.image.label === label && left-- > 0) throw new Error(`no ${label}`)
      heard.push(change)
    }
  }
  const labels = () => heard.map(({ image }) => image.label)

  test("is tried again, and later lines wait behind it, also when more are poked", async () => {
    failing("stubborn", 2)
    await create(alice, "parcels", { label: "before" })
    await create(alice, "parcels", { label: "stubborn" })
    await create(alice, "parcels", { label: "behind" })
    await eventually(async () => expect((await status()).attempts).toBe(1))
    await create(alice, "parcels", { label: "later" })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await status()).toMatchObject({ attempts: 1 })
    expect(labels()).toEqual(["before"])
    const due = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    expect((due as number) - Date.now()).toBeGreaterThan(500)
    await runDurableObjectAlarm(stub)
    expect(await status()).toMatchObject({ attempts: 2 })
    await runDurableObjectAlarm(stub)
    expect(labels()).toEqual(["before", "stubborn", "behind", "later"])
    expect(await status()).toEqual({ cursor: await lastSeq(), attempts: 0 })
  })

  test("is tried again even when its alarm was lost: the next poke sets another", async () => {
    failing("forgotten", 1)
    await create(alice, "parcels", { label: "forgotten" })
    await eventually(async () => expect((await status()).attempts).toBe(1))
    await runInDurableObject(stub, (_, state) => state.storage.deleteAlarm())
    await create(alice, "parcels", { label: "next" })
    await eventually(() => expect(labels()).toEqual(["forgotten", "next"]))
  })

  test("every time is given up after 12 tries: the line becomes a job, and those behind it go on", async () => {
    failing("poison", Number.POSITIVE_INFINITY)
    const poison = await create(alice, "parcels", { label: "poison" })
    await create(alice, "parcels", { label: "after" })
    await eventually(async () => expect((await status()).attempts).toBe(1))
    for (let tries = 2; tries < 12; tries++) {
      await runDurableObjectAlarm(stub)
      expect((await status()).attempts).toBe(tries)
      expect(labels()).toEqual([])
    }
    await runDurableObjectAlarm(stub)
    expect(labels()).toEqual(["after"])
    expect((await status()).attempts).toBe(0)
    const [line] = await linesOf(poison.id)
    const job = () => query("SELECT * FROM jobs WHERE name = 'changes.deliver'")
    await eventually(async () => {
      expect(await job()).toMatchObject([
        {
          state: "dead",
          attempts: 1,
          key: line?.id,
          payload: JSON.stringify({ seq: line?.seq }),
          error: expect.stringContaining("no poison"),
        },
      ])
    })

    // An administrator runs it again: as long as nothing was mended, in vain.
    const path = `/jobs/${(await job())[0]?.id}`
    const retried = async (state: string) => {
      const answer = await call(root, "POST", `${path}/retries`)
      expect(answer.status).toBe(200)
      await eventually(async () => expect(await job()).toMatchObject([{ state }]))
    }
    await retried("dead")
    expect(labels()).toEqual(["after"])
    failing("", 0)
    await retried("succeeded")
    expect(labels()).toEqual(["after", "poison"])
    expect(heard.at(-1)).toMatchObject({ id: line?.id, record: poison.id, kind: "created" })
  })

  test("is not passed over while its line cannot be put aside", async () => {
    failing("unburied", Number.POSITIVE_INFINITY)
    await create(alice, "parcels", { label: "unburied" })
    await eventually(async () => expect((await status()).attempts).toBe(1))
    await runInDurableObject(stub, (_, state) => state.storage.put("attempts", 11))
    const before = (await status()).cursor
    await query("ALTER TABLE jobs RENAME TO jobs_away")
    await runDurableObjectAlarm(stub)
    await query("ALTER TABLE jobs_away RENAME TO jobs")
    expect(await status()).toEqual({ cursor: before, attempts: 11 })
    await runDurableObjectAlarm(stub)
    expect(await status()).toEqual({ cursor: await lastSeq(), attempts: 0 })
  })
})

test("the time between tries doubles from a second to half an hour, twelve times", () => {
  const waits = Array.from({ length: 12 }, (_, i) => backoffMilliseconds(i + 1) / 1_000)
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800])
  expect([isExhausted(11), isExhausted(12)]).toEqual([false, true] satisfies Json[keyof Json][])
})
