import type { Person } from "../../support/people.ts"
import { type Json, list, type Page, query, type Stored } from "./cast.ts"

/* Many articles, and a walk through their pages. */

/** Articles past the engine, so that there are many of them quickly. `mark` keeps the tests apart. */
export async function insert(author: Person, mark: string, rows: Json[]): Promise<void> {
  const values = rows.map((row, n) => ({
    id: crypto.randomUUID(),
    title: `t${n}`,
    words: null,
    score: null,
    day: null,
    body: null,
    featured: null,
    ...row,
  }))
  await query(
    `INSERT INTO articles (id, version, createdAt, updatedAt, createdBy, author, status, contact, title, words, score, day, body, featured)
     SELECT v ->> 'id', 1, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', NULL, ?, 'published', ?, v ->> 'title', v ->> 'words', v ->> 'score', v ->> 'day', v ->> 'body', v ->> 'featured'
     FROM (SELECT value AS v FROM json_each(?))`,
    [author.id, `${mark}@example.test`, JSON.stringify(values)],
  )
}
export const only = (mark: string) => `contact = "${mark}@example.test"`

export async function walk(
  parameters: Record<string, string>,
  between: (page: Page) => Promise<void> = async () => {},
): Promise<Stored[]> {
  const found: Stored[] = []
  let cursor: string | null = ""
  while (cursor !== null) {
    const page: Page = await list(null, "articles", { ...parameters, ...(cursor && { cursor }) })
    found.push(...page.items)
    cursor = page.next
    if (cursor) await between(page)
  }
  return found
}
