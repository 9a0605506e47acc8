import { join, resolve } from "node:path"
import { convertV4MiniflareOptions, Miniflare } from "miniflare"

/** Opens the local database of this id on workerd's own D1, for the length of some work. No other process may have it open. */
export async function withLocalD1<Result>(
  stateDirectory: string,
  id: string,
  work: (database: D1Database) => Promise<Result>,
): Promise<Result> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: "export default {}",
      compatibilityDate: "2026-11-17",
      d1Databases: { DB: { id } },
      resourcePersistencePath: join(resolve(stateDirectory), "v3"),
    }),
  )
  try {
    return await work((await miniflare.getD1Database("DB")) as unknown as D1Database)
  } finally {
    await miniflare.dispose()
  }
}
