import type { JobRun } from "./job.ts"

interface Asked {
  readonly limit: number
  readonly cursor?: string
}

interface Answered<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

const pageItems = 200

/**
 * Works through a list, each page in a step of its own: a later attempt goes on with the page that failed. What is kept
 * is where the next page begins, so that none is left out when the list changes meanwhile. A page whose work was done and
 * not kept comes again, so the work has to bear repetition.
 */
export async function eachPage<Item>(
  { step }: Pick<JobRun<unknown>, "step">,
  list: (query: Asked) => Promise<Answered<Item>>,
  work: (items: readonly Item[]) => Promise<void>,
): Promise<void> {
  const pageFrom = async (cursor: string): Promise<string | null> => {
    const { items, next } = await list({ limit: pageItems, ...(cursor && { cursor }) })
    await work(items)
    return next
  }
  for (let cursor: string | null = ""; cursor !== null; ) {
    const from: string = cursor
    cursor = await step(`page ${from}`, () => pageFrom(from))
  }
}
