import { beforeAll, beforeEach, describe, expect, test } from "vitest"
import { type BeforeWrite, collection, type Writing } from "../../../src/core/records/collection.ts"
import { boolean, expression, integer, relation, text } from "../../../src/core/records/fields.ts"
import { Problem } from "../../../src/platform/problem.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  get,
  type Json,
  linesOf,
  list,
  patch,
  query,
  read,
  refused,
  type Stored,
} from "./cast.ts"
import { openWorkshop, type Workshop } from "./workshop.ts"

let alice: Person
let bob: Person
let workshop: Workshop
let seen: Writing[] = []
/** What the hook of `accounts` does in the test at hand. */
let hook: BeforeWrite["run"] = () => undefined
const run: BeforeWrite["run"] = (writing) => {
  seen.push(writing)
  return hook(writing)
}

const fields = {
  owner: relation("members", { required: true, default: expression("@me.id") }),
  name: text({ required: true }),
  balance: integer({ default: 0 }),
  checked: boolean({ writable: "false" }),
}
const rules = {
  read: "owner = @me.id",
  create: "owner = @me.id",
  update: "owner = @me.id",
  delete: "owner = @me.id",
}
const accounts = collection("accounts", { fields, rules, beforeWrite: { needs: "record", run } })
/** The same without a look at the record. */
const purses = collection("purses", { fields, rules, beforeWrite: { run } })
const receipts = collection("receipts", {
  fields: { label: text({ unique: true }), depth: integer() },
  beforeWrite: {
    run: ({ input }) =>
      (input?.depth as number) > 0
        ? {
            also: [
              {
                action: "create",
                collection: "receipts",
                input: { depth: (input?.depth as number) - 1 },
              },
            ],
          }
        : undefined,
  },
})

beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  workshop = await openWorkshop([accounts, purses, receipts])
})
beforeEach(() => {
  seen = []
  hook = () => undefined
})

const send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
  as = alice,
) => workshop.call(as, method, `/records/${path}`, body, headers)
const open = async (name = "accounts", more: Json = {}): Promise<Stored> => {
  const made = await read(send("POST", name, { name: "n", ...more }), 201)
  seen = []
  return made
}

describe("a hook", () => {
  test("refuses, and nothing is written", async () => {
    hook = () => {
      throw new Problem("conflict", "Closed today.")
    }
    const before = await query("SELECT count(*) AS n FROM changes")
    expect((await refused(send("POST", "accounts", { name: "n" }), 409)).detail).toBe(
      "Closed today.",
    )
    expect(await query("SELECT count(*) AS n FROM changes")).toEqual(before)
  })

  test("derives fields, also those that nobody may write", async () => {
    hook = ({ input }) => ({ set: { balance: 7, checked: true, name: `${input?.name}!` } })
    const record = await open("accounts", { balance: 99 })
    expect(record).toMatchObject({ balance: 7, checked: true, name: "n!" })
    expect((await linesOf(record.id)).map(({ authority }) => authority)).toEqual(["rule"])
    hook = () => undefined
    await refused(send("POST", "accounts", { name: "n", checked: true }), 403)
  })

  test("cannot derive what the fields would not take", async () => {
    hook = () => ({ set: { balance: 1.5 } })
    await refused(send("POST", "accounts", { name: "n" }), 400)
    hook = () => ({ set: { balanse: 1 } })
    await refused(send("POST", "accounts", { name: "n" }), 400)
  })

  test("sees what is written, by whom, with defaults, and the stored record where it asks for it", async () => {
    const { id } = await read(send("POST", "accounts", { name: "n" }), 201)
    await send("PATCH", `accounts/${id}`, { balance: 5 })
    await send("PUT", `accounts/${id}`, { name: "m" })
    await send("DELETE", `accounts/${id}`)
    await send("PUT", `accounts/${id}`, { name: "again" })
    const told = seen.map(({ action, input, record }) => [action, input, record?.version ?? null])
    const whole = { balance: 0, owner: alice.id }
    expect(told).toEqual([
      ["create", { name: "n", ...whole }, null],
      ["update", { balance: 5 }, 1],
      ["update", { name: "m" }, 2],
      ["delete", null, 3],
      ["create", { name: "again", ...whole }, null],
    ])
    expect(seen.every((writing) => writing.id === id && writing.actor.kind === "user")).toBe(true)
    expect(seen[1]?.record).toMatchObject({
      id,
      name: "n",
      balance: 0,
      checked: null,
      owner: alice.id,
    })
  })

  test("is told whether a PUT creates or replaces, also where it does not ask for the record", async () => {
    const id = crypto.randomUUID()
    expect((await send("PUT", `purses/${id}`, { name: "n" })).status).toBe(201)
    expect((await send("PUT", `purses/${id}`, { name: "m" })).status).toBe(200)
    expect(seen.map(({ action, record }) => [action, record])).toEqual([
      ["create", null],
      ["update", null],
    ])
  })

  test("does not speak of what its caller does not see", async () => {
    const { id } = await open()
    hook = ({ record }) => {
      throw new Problem("conflict", `There is ${record?.name} already.`)
    }
    for (const [method, body] of [
      ["PATCH", { name: "x" }],
      ["DELETE", undefined],
      ["PUT", { name: "x" }],
    ] as const) {
      await refused(send(method, `accounts/${id}`, body, {}, bob), 404)
    }
    expect(seen).toEqual([])
    const missing = await send(
      "PUT",
      `accounts/${crypto.randomUUID()}`,
      { name: "x" },
      { "if-match": "*" },
      bob,
    )
    const hidden = await send("PUT", `accounts/${id}`, { name: "x" }, { "if-match": "*" }, bob)
    expect([missing.status, hidden.status]).toEqual([409, 409])
  })
})

describe("what a hook writes besides", () => {
  test("stands in the same batch: one request, all or nothing", async () => {
    hook = ({ input }) => ({
      also: [
        { action: "create", collection: "receipts", input: { label: input?.name } },
        { action: "create", collection: "receipts", input: { depth: 2 } },
      ],
    })
    const answer = await send("POST", "accounts", { name: "r1" })
    await read(answer, 201)
    const lines = await query(
      "SELECT subject, authority, actor FROM changes WHERE requestId = ? ORDER BY seq",
      [answer.headers.get("x-request-id")],
    )
    expect(lines).toEqual([
      { subject: "accounts", authority: "rule", actor: alice.id },
      // The hooks of what it writes run as well.
      ...Array(4).fill({ subject: "receipts", authority: "system", actor: null }),
    ])
    const before = await query(
      "SELECT (SELECT count(*) FROM changes) AS n, (SELECT count(*) FROM accounts) AS a",
    )
    const { errors } = await refused(send("POST", "accounts", { name: "r1" }), 409)
    expect(errors).toMatchObject([{ path: "label", code: "taken" }])
    expect(
      await query(
        "SELECT (SELECT count(*) FROM changes) AS n, (SELECT count(*) FROM accounts) AS a",
      ),
    ).toEqual(before)
  })

  test("is undone when the write itself is refused", async () => {
    hook = ({ id }) => ({
      also: [{ action: "create", collection: "receipts", input: { label: id } }],
    })
    const { id } = await open()
    const before = await query("SELECT count(*) AS n FROM receipts")
    await refused(send("PATCH", `accounts/${id}`, { owner: bob.id }), 403)
    await refused(send("PATCH", `accounts/${id}`, { name: "x" }, { "if-match": '"9"' }), 412)
    expect(await query("SELECT count(*) AS n FROM receipts")).toEqual(before)
  })

  test("updates and deletes, too", async () => {
    const [one, two] = [await open(), await open("purses")]
    hook = ({ action, id }) =>
      action === "update" && id === one.id
        ? {
            also: [{ action: "update", collection: "accounts", id: two.id, input: { balance: 1 } }],
          }
        : undefined
    await refused(send("PATCH", `accounts/${one.id}`, { balance: -1 }), 404)
    hook = ({ action, id }) =>
      action === "update" && id === one.id
        ? {
            also: [
              { action: "update", collection: "purses", id: two.id, input: { balance: 1 } },
              { action: "delete", collection: "purses", id: two.id },
            ],
          }
        : undefined
    await read(send("PATCH", `accounts/${one.id}`, { balance: -1 }), 200)
    expect((await linesOf(two.id)).map(({ kind, authority }) => [kind, authority])).toEqual([
      ["created", "rule"],
      ["updated", "system"],
      ["deleted", "system"],
    ])
  })

  test("in circles is stopped, and leaves nothing", async () => {
    hook = () => ({ also: [{ action: "create", collection: "receipts", input: { depth: 99 } }] })
    expect((await send("POST", "accounts", { name: "n" })).status).toBe(500)
  })
})

describe("a hook that saw the record", () => {
  /** Adds 10 by read and write, and lets someone in between as often as told. */
  const deposit = (id: string, interruptions: number) => {
    let left = interruptions
    hook = async ({ record, action, input }) => {
      if (action !== "update" || input?.name !== "deposit") return undefined
      if (left-- > 0) {
        const other = await send("PATCH", `accounts/${id}`, {
          balance: (record?.balance as number) + 1,
        })
        expect(other.status).toBe(200)
      }
      return { set: { balance: (record?.balance as number) + 10 } }
    }
  }

  test.each([
    [0, 200, 10],
    [1, 200, 11],
    [2, 200, 12],
    [3, 412, 3],
  ])(
    "holds only while that version stands: overtaken %i times, it answers %i",
    async (times, status, balance) => {
      const { id } = await open()
      deposit(id, times)
      const answer = await send("PATCH", `accounts/${id}`, { name: "deposit" })
      expect(answer.status).toBe(status)
      expect(await read(send("GET", `accounts/${id}`), 200)).toMatchObject({ balance })
    },
  )

  test("does not look again where the caller named the version itself", async () => {
    const { id } = await open()
    deposit(id, 1)
    await refused(send("PATCH", `accounts/${id}`, { name: "deposit" }, { "if-match": '"1"' }), 412)
    expect(seen.filter(({ input }) => input?.name === "deposit")).toHaveLength(1)
  })

  test("or saw that there was none: a PUT that is overtaken looks again", async () => {
    const id = crypto.randomUUID()
    let first = true
    hook = async ({ action, input }) => {
      if (first) {
        first = false
        expect((await send("PUT", `accounts/${id}`, { name: "other" })).status).toBe(201)
      }
      return { set: { name: `${input?.name} ${action}` } }
    }
    expect(await read(send("PUT", `accounts/${id}`, { name: "mine" }), 200)).toMatchObject({
      name: "mine update",
      version: 2,
    })
  })

  test("was not shown the record: 20 PUTs at once overtake nobody", async () => {
    const id = crypto.randomUUID()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => send("PUT", `purses/${id}`, { name: `n${i}` })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 201])
    expect(await read(send("GET", `purses/${id}`), 200)).toMatchObject({ version: 20 })
  })

  test("20 times at once loses none", async () => {
    const order = await create(alice, "orders", { quantity: 1 })
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        call(alice, "PATCH", `/records/orders/${order.id}`, { quantity: i + 2 }),
      ),
    )
    const kept = answers.filter(({ status }) => status === 200).length
    expect(answers.every(({ status }) => status === 200 || status === 412)).toBe(true)
    const record = await get(alice, "orders", order.id)
    expect(record.version).toBe(kept + 1)
    expect(record.total).toBe((record.quantity as number) * 7)
    const events = await list(alice, "orderEvents", {
      filter: `order = "${order.id}"`,
      count: "exact",
    })
    expect(events.count).toBe(kept + 1)
  })
})

test("the shop of the fixtures: a total is derived, a limit kept, a paid order stays", async () => {
  const order = await create(alice, "orders", { quantity: 3, total: 1 })
  expect(order.total).toBe(21)
  await refused(call(alice, "PATCH", `/records/orders/${order.id}`, { quantity: 101 }), 400)
  await patch(alice, "orders", order.id, { state: "paid" })
  expect((await refused(call(alice, "DELETE", `/records/orders/${order.id}`), 409)).detail).toBe(
    "A paid order stays.",
  )
})
