import { env } from "cloudflare:workers"
import { expect } from "vitest"
import { recomputeRollups } from "../../../src/core/records/ddl.ts"
import { type LinkedCollection, linkCollections } from "../../../src/core/records/link.ts"
import { fixtures } from "../../support/collections.ts"
import { query } from "./cast.ts"

export const collections = linkCollections(fixtures)
export const articles = collections.get("articles") as LinkedCollection

export const rollups = ["commentCount", "starSum", "starAverage", "weightSum"]
const kept = () => query(`SELECT id, ${rollups.join(", ")} FROM articles ORDER BY id`)

/** What the triggers keep is what a computation from nothing makes. */
export async function assertRollups(): Promise<void> {
  const before = await kept()
  await env.DB.prepare(recomputeRollups(articles) as string).run()
  expect(await kept()).toEqual(before)
}
