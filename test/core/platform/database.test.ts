import { env } from "cloudflare:workers"
import { expect, test } from "vitest"
import { parseSifted } from "../../../src/core/records/sieve.ts"
import { type Cost, openDatabase, Refusal } from "../../../src/platform/database.ts"
import { raw, sql } from "../../../src/platform/sql.ts"

function open(binding: D1Database = env.DB) {
  const cost: Cost = { trips: 0, rowsRead: 0, rowsWritten: 0, milliseconds: 0 }
  const options = { name: "main", binding, cost, secret: "s".repeat(32), presented: null }
  return { cost, database: openDatabase({ ...options, primary: false, replicated: false }) }
}

test("a statement that D1 would refuse for its size is refused as the caller's", async () => {
  const { database } = open()
  const huge = raw(`SELECT ${"1 + ".repeat(30_000)}1`)
  await expect(database.all(huge)).rejects.toMatchObject({ code: "invalid_input" })
  await expect(database.batch([raw("SELECT 1"), huge])).rejects.toMatchObject({
    code: "invalid_input",
  })
})

test("a batch of one is one trip, and so is a batch of three", async () => {
  const { database, cost } = open()
  expect(await database.batch([sql`SELECT ${1} AS a`])).toEqual([[{ a: 1 }]])
  expect(cost.trips).toBe(1)
  await database.batch([raw("SELECT 1"), raw("SELECT 2"), raw("SELECT 3")])
  expect(cost.trips).toBe(2)
})

test("only a write or a bookmark opens a session, whose bookmark is signed with the database's name", async () => {
  const { database } = open()
  await database.all(raw("SELECT 1"))
  expect(await database.bookmark()).toBeNull()
  await database.all(raw("DELETE FROM idempotency_keys WHERE createdAt < ''"))
  expect(await database.bookmark()).toMatch(/^main\.[^.]+\.[\w-]{22}$/)
})

test("more than a hundred parameters reach D1 with their types", async () => {
  const { database } = open()
  const values = Array.from({ length: 150 }, (_, i) =>
    i % 3 === 0 ? `t${i}` : i % 3 === 1 ? i : null,
  )
  const columns = values.map((value, i) => sql`${value} AS ${raw(`c${i}`)}`)
  const [half] = await database.all(
    columns.slice(0, 90).reduce((all, column) => sql`${all}, ${column}`, sql`SELECT ${"?"} AS q`),
  )
  expect(half).toMatchObject({ q: "?", c0: "t0", c1: 1, c2: null })
  const list = values
    .slice(1)
    .reduce((all, value) => sql`${all}, ${value}`, sql`${values[0] ?? null}`)
  const [found] = await database.all(
    sql`SELECT ${"t147"} IN (${list}) AS text, ${148} IN (${list}) AS number, '?' AS mark`,
  )
  expect(found).toEqual({ text: 1, number: 1, mark: "?" })
})

test("what a sieve told is read as far as it came, and nothing else that was cut off", async () => {
  const answered = async (message: string): Promise<unknown> => {
    const prepare = () => ({ all: () => Promise.reject(new Error(`D1_ERROR: ${message}`)) })
    const { database } = open({ prepare } as unknown as D1Database)
    return database.all(raw("SELECT 1")).catch((error: unknown) => error)
  }
  const entries = ["4/0/refused/0/taken/name/", "12/1/refused/0/forbidden//"]
  const whole = `refused|0|sifted|${entries.join(";")}`
  for (const [message, positions] of [
    [`${whole}|: SQLITE_CONSTRAINT`, [4, 12]],
    [whole, [4, 12]],
    [whole.slice(0, -1), [4]],
    [`${whole.slice(0, -8)}: SQLITE_CONSTRAINT`, [4]],
    ["refused|0|sifted|4/0/ref", []],
  ] as const) {
    const refusal = (await answered(message)) as Refusal
    expect(refusal).toBeInstanceOf(Refusal)
    expect(parseSifted(refusal.detail).map(({ at }) => at)).toEqual(positions)
  }
  expect(parseSifted(whole.slice(17)).map(({ halts }) => halts)).toEqual([false, true])
  for (const message of ["refused|3|taken|na", "refused|3|sift", "refused|3|"]) {
    expect(await answered(message)).not.toBeInstanceOf(Refusal)
  }
})
