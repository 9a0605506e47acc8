import { expect, test } from "vitest"
import { eachPage } from "../../../src/core/jobs/each-page.ts"

/** A run whose steps are kept from attempt to attempt, as the engine keeps them. */
function attempts() {
  const kept = new Map<string, unknown>()
  return {
    async step<Result>(name: string, work: () => Promise<Result> | Result): Promise<Result> {
      if (!kept.has(name)) kept.set(name, await work())
      return kept.get(name) as Result
    },
  }
}

test("a later attempt goes on with the page that failed, and leaves nobody out whom a change has moved", async () => {
  let people = Array.from({ length: 450 }, (_, n) => n)
  const list = async ({ limit, cursor }: { limit: number; cursor?: string }) => {
    const after = cursor === undefined ? -1 : Number(cursor)
    const rest = people.filter((person) => person > after)
    const items = rest.slice(0, limit)
    return { items, next: rest.length > limit ? String(items.at(-1)) : null }
  }
  const reached: number[] = []
  let failing = true
  const work = async (page: readonly number[]) => {
    if (failing && page.includes(250)) throw new Error("no luck")
    reached.push(...page)
  }
  const run = attempts()
  await expect(eachPage(run, list, work)).rejects.toThrow("no luck")
  expect(reached).toHaveLength(200)
  failing = false
  // Those before have left: what was the second page begins where it did.
  people = people.filter((person) => person >= 100)
  await eachPage(run, list, work)
  expect(reached).toEqual(Array.from({ length: 450 }, (_, n) => n))
})

test("a list without anything is one empty page", async () => {
  const pages: unknown[] = []
  await eachPage(
    attempts(),
    async () => ({ items: [], next: null }),
    async (page) => void pages.push(page),
  )
  expect(pages).toEqual([[]])
})
