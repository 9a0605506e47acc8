import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { TypicalQuery } from "../core/advisor/question.ts"
import type { Collection } from "../core/records/collection.ts"
import type { Cast } from "../core/records/personas.ts"
import { anonymous, system, type UserActor } from "../platform/app.ts"
import { type Advice, adviseOn } from "./advise/explain.ts"
import { type Askers, openCollections, questionsOf } from "./advise/questions.ts"
import { adviceText } from "./advise/text.ts"
import { readTraffic, trafficText } from "./advise/traffic.ts"
import { inLocalData, inSampleWorld, type World } from "./exposure/world.ts"
import { loadCollections } from "./migrations/load.ts"

/*
 * `npm run advise`: what every list, rule and rollup costs on the local data (STATE_DIR), and what to mend. `-- --sample`
 * asks the demo's data instead; `-- --url https://…` adds the bill of a deployment, from its metrics.
 */

/** Advice on some data, for these collections and the product's typical queries. */
export async function advise(
  { app, collections, cast }: World,
  typical: readonly TypicalQuery[],
): Promise<{ advice: Advice; open: string[] }> {
  const askers = askersOf(cast)
  const questions = await questionsOf(app, collections, askers, typical)
  return {
    advice: await adviseOn(app, collections, questions),
    open: openCollections(app, collections, askers),
  }
}

function askersOf({ owner, member, organisation }: Cast): Askers {
  const user = (id: string, of: string | null, roles: readonly string[]): UserActor => ({
    kind: "user",
    id,
    email: "someone@example.com",
    roles,
    organisation: of,
    database: "main",
    epoch: 0,
    session: id,
    methods: ["pwd"],
    authenticatedAt: 0,
    impersonator: null,
  })
  return {
    anonymous,
    owner: user(owner, null, []),
    member: user(member, organisation, ["member"]),
    system,
  }
}

/** What the product says is asked of it; nothing where it says nothing. */
export async function typicalQueries(): Promise<readonly TypicalQuery[]> {
  const file = new URL("../app/queries.ts", import.meta.url)
  if (!existsSync(file)) return []
  return ((await import(file.href)) as { queries: readonly TypicalQuery[] }).queries
}

async function main(parameters: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...parameters],
    options: { sample: { type: "boolean", default: false }, url: { type: "string" } },
  })
  const collections: readonly Collection[] = await loadCollections("src/app/collections.ts")
  const typical = await typicalQueries()
  const about = async (world: World) => {
    const { advice, open } = await advise(world, typical)
    console.log(adviceText(advice, open, world.source))
    return advice.explained.some(({ findings }) => findings.some(({ kind }) => kind === "scan"))
  }
  const scans = await (values.sample ? inSampleWorld : inLocalData)(collections, about)
  if (values.url) {
    console.log(`\n${trafficText(await readTraffic(values.url, process.env.ADVISE_TOKEN ?? ""))}`)
  }
  return scans ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
