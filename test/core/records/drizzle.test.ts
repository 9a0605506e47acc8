import { env } from "cloudflare:workers"
import { and, eq, gt } from "drizzle-orm"
import { QueryBuilder } from "drizzle-orm/sqlite-core"
import { expect, expectTypeOf, test } from "vitest"
import { columnsOf } from "../../../src/core/records/columns.ts"
import { statementOf, tableOf } from "../../../src/core/records/drizzle.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { articles, fixtures } from "../../support/collections.ts"
import { call, signedIn } from "../../support/people.ts"

test("a collection's Drizzle table has the columns of the table on disk", () => {
  for (const collection of linkCollections(fixtures).values()) {
    if (collection.builtIn) continue
    const drizzle = Object.keys(tableOf(collection.definition)).filter(
      (name) => name !== "enableRLS",
    )
    // `pk`, the parts of an average and of the index of a point are the engine's own.
    const disk = columnsOf(collection)
      .map(({ name }) => name)
      .filter((name) => name !== "pk" && !/_(sum|count|band|longitude)$/.test(name))
    expect(drizzle.sort()).toEqual(disk.sort())
  }
})

test("a query built with Drizzle runs against the records, typed from the fields", async () => {
  const alice = await signedIn("alice")
  await call(alice, "POST", "/records/articles", { title: "One", words: 3, status: "published" })
  await call(alice, "POST", "/records/articles", { title: "Two", words: 30, status: "published" })
  const table = tableOf(articles)
  expectTypeOf<(typeof table)["$inferSelect"]["title"]>().toEqualTypeOf<string>()
  expectTypeOf<(typeof table)["$inferSelect"]["words"]>().toEqualTypeOf<number | null>()
  const query = new QueryBuilder()
    .select({ title: table.title })
    .from(table)
    .where(and(eq(table.status, "published"), gt(table.words, 10)))
  const { text, params } = statementOf(query)
  const { results } = await env.DB.prepare(text)
    .bind(...params)
    .all()
  expect(results).toEqual([{ title: "Two" }])
})
