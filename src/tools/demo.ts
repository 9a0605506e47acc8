import { existsSync } from "node:fs"
import type { LinkedCollections } from "../core/records/link.ts"
import type { App } from "../platform/app.ts"
import type { Example } from "./dev-greeting.ts"

/** What `src/app/demo.ts` may export: data to look at in development. */
export interface Demo {
  loadDemo(app: App, collections: LinkedCollections): Promise<string[]>
  examples: readonly Example[]
}

/** The product's demo, or null: it is no part of the product, and may be deleted. */
export async function findDemo(): Promise<Demo | null> {
  const file = new URL("../app/demo.ts", import.meta.url)
  return existsSync(file) ? ((await import(file.href)) as Demo) : null
}
