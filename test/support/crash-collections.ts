import { z } from "zod"
import { inboundHook } from "../../src/core/inbound/hook.ts"
import { hmac } from "../../src/core/inbound/schemes/hmac.ts"
import { newJob } from "../../src/core/jobs/enqueue.ts"
import { job } from "../../src/core/jobs/job.ts"
import { collection } from "../../src/core/records/collection.ts"
import { integer, text } from "../../src/core/records/fields.ts"
import type { Reach } from "../../src/core/records/reach.ts"

/* For a process that is killed between a commit and what follows it. A turn is the number of one write, whatever becomes of it. */

/** What the listener makes of an errand. Its cause is unique: a second delivery leaves no second one. */
const receipts = collection("receipts", {
  fields: { cause: text({ required: true, unique: true }), errand: text({ required: true }) },
})

/** What the job makes of an errand. Nothing but its id guards it. */
const deliveries = collection("deliveries", {
  fields: { turn: integer({ required: true }), parcel: integer({ required: true }) },
})

/** Tells the world outside, which counts. Answers how often it has been told. */
async function tell(what: "packed" | "departed", turn: number): Promise<number> {
  const told = await fetch(`${process.env.WORLD}/${what}/${turn}`, { method: "POST" })
  return told.json()
}

/** Brings what the errand's job brings, from outside. */
const courier = inboundHook("courier", {
  verify: hmac({ header: "X-Signature" }),
  secrets: ["HOOK_COURIER"],
  payload: z.object({ turn: z.int() }),
  async apply({ payload: { turn }, idFor }, { records }) {
    await tell("departed", turn)
    await records.ensure(deliveries, await idFor("delivery"), { turn, parcel: 0 })
  },
})

const runErrand = job("errand.run", {
  payload: z.object({ turn: z.int() }),
  async run({ payload: { turn }, step, idFor }, { records }: Reach) {
    const parcel = await step("pack", () => tell("packed", turn))
    await tell("departed", turn)
    await records.ensure(deliveries, await idFor("delivery"), { turn, parcel })
  },
})

/** Anyone may run one. The write enqueues its job; after the commit it gets its receipt. */
const errands = collection("errands", {
  fields: {
    number: integer({ required: true, unique: true }),
    turn: integer({ required: true }),
  },
  rules: { read: "true", create: "number > 0", update: "true" },
  beforeWrite: {
    run: ({ input }) => ({ jobs: [newJob(runErrand, { turn: input?.turn as number })] }),
  },
  async afterCommit(_app, change, { records }) {
    const known = await records.list(receipts, { filter: `cause = "${change.id}"` })
    if (known.items.length > 0) return
    await records.create(receipts, { cause: change.id, errand: change.record })
  },
})

/** What comes as a file, and is changed all at once: slowly enough to be killed meanwhile. */
const items = collection("items", {
  fields: { number: integer({ required: true, unique: true, min: 1 }), label: text() },
  rules: { read: "true", create: "@me.id != null", update: "@me.id != null" },
  beforeWrite: {
    async run() {
      await new Promise((resolve) => setTimeout(resolve, 3))
      return undefined
    },
  },
})

export const crashCollections = [receipts, deliveries, errands, items] as const
export const crashJobs = [runErrand]
export const crashHooks = [courier]
