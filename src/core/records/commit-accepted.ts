import type { Actor, App } from "../../platform/app.ts"
import { Refusal, UniqueViolation } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { raw, type Sql } from "../../platform/sql.ts"
import type { Draft, Written } from "./draft.ts"
import { guard, isOvertaken, isRehearsed, refusalProblem } from "./guard.ts"
import type { LinkedCollections } from "./link.ts"
import { type PlannedDraft, planDraft } from "./plan.ts"
import { parseSifted, tell } from "./sieve.ts"
import { statementsOf } from "./statements.ts"
import { type CommitOptions, runPlanned, standing } from "./write.ts"

/** Who writes, and where. */
export interface Writer {
  readonly app: App
  readonly actor: Actor
  readonly collections: LinkedCollections
}

/** An item with what speaks against it. */
export interface RefusedItem<Item> {
  readonly item: Item
  readonly problem: Problem
}

interface Asked<Item> {
  readonly items: readonly Item[]
  /** Told of items that are refused, in order, each once; answers what to try in the place of some. */
  refuse(refused: readonly RefusedItem<Item>[]): Promise<ReadonlyMap<Item, Item>>
  /** How those are written that are left. */
  options(accepted: readonly Item[]): CommitOptions
}

/** Others may write meanwhile, so that what was let through a moment ago is refused now. */
const maxRounds = 5

/** A hook that keeps seeing versions which do not stand is not asked for ever. */
const maxLooks = 3

interface Planned<Item> extends PlannedDraft {
  readonly item: Item
  readonly looks: number
}

/**
 * Writes in one batch all that is not refused. Where something is, one more finds all of it (`sieve.ts`), so that it
 * takes three trips, however much is refused (one more for each refusal behind which nothing can be judged); hooks are asked
 * once. Answers what was left, and what came of it (nothing in a
 * rehearsal).
 *
 * @throws {Problem} for what no item is to blame for: `token_outdated`, a database that fails.
 */
export async function commitAccepted<Item extends { readonly draft: Draft }>(
  writer: Writer,
  { items, refuse, options }: Asked<Item>,
): Promise<{ accepted: readonly Item[]; written: readonly Written[] }> {
  const { app, actor } = writer
  let planned = await planItems(writer, items, refuse)
  for (let fruitless = 0; ; ) {
    const accepted = planned.map(({ item }) => item)
    const how = options(accepted)
    if (planned.length === 0) {
      const along = how.rehearsal ? [] : (how.along ?? [])
      if (along.length > 0) await app.db.batch(along)
      return { accepted, written: [] }
    }
    try {
      return { accepted, written: await runPlanned(app, actor, writer.collections, planned, how) }
    } catch (error) {
      if (how.rehearsal && isRehearsed(error)) return { accepted, written: [] }
      const ours = error instanceof Refusal || error instanceof UniqueViolation
      if (!ours || isOvertaken(error)) throw error
      const problem = refusalProblem(error, actor.kind === "anonymous", false)
      if (problem instanceof Problem && problem.code === "token_outdated") throw problem
      let sifted = await sift(writer, planned)
      if (sifted.found.length === 0 && ++fruitless === maxRounds) throw problem
      planned = await without(writer, planned, sifted.found, refuse)
      // To write what has not been judged would be a trip for nothing.
      while (sifted.halted && planned.length > 0) {
        sifted = await sift(writer, planned)
        planned = await without(writer, planned, sifted.found, refuse)
      }
    }
  }
}

type Refuse<Item> = Asked<Item>["refuse"]

/** Plans the items, but for those that are refused already; what is tried in their place comes last. */
async function planItems<Item extends { readonly draft: Draft }>(
  writer: Writer,
  items: readonly Item[],
  refuse: Refuse<Item>,
): Promise<Planned<Item>[]> {
  const { app, actor, collections } = writer
  const planned: Planned<Item>[] = []
  const refused: RefusedItem<Item>[] = []
  for (const item of items) {
    const before = planned.map(({ draft }) => draft)
    try {
      const plan = await planDraft(app, actor, collections, before, item.draft)
      planned.push({ ...plan, item, looks: 1 })
    } catch (error) {
      refused.push({ item, problem: itsOwn(error) })
    }
  }
  const instead = refused.length > 0 ? await refuse(refused) : new Map<Item, Item>()
  return instead.size > 0
    ? [...planned, ...(await planItems(writer, [...instead.values()], refuse))]
    : planned
}

/** @throws what is no refusal of one item */
function itsOwn(error: unknown): Problem {
  const own = error instanceof Problem && error.status < 500 && error.code !== "token_outdated"
  if (!own) throw error
  return error
}

interface Sift {
  readonly found: readonly { at: number; problem: Problem }[]
  /** True where what stands behind the last of them has not been judged. */
  readonly halted: boolean
}

/** All that is refused of the plans, in order, in one trip. */
async function sift<Item>(
  { app, actor }: Writer,
  planned: readonly Planned<Item>[],
): Promise<Sift> {
  const token = guard(raw("0"), standing(actor), raw("(SELECT 1)"))
  const statements: Sql[] = planned.flatMap(({ steps }, at) =>
    steps.flatMap(({ operation, view }, step) =>
      statementsOf(app, view, operation, at, [], { at, halts: step > 0 }),
    ),
  )
  try {
    await app.db.batch([...(token ? [token] : []), ...statements, tell])
  } catch (error) {
    const anonymous = actor.kind === "anonymous"
    if (!(error instanceof Refusal) || error.outcome !== "sifted") {
      throw refusalProblem(error, anonymous, false)
    }
    const sifted = parseSifted(error.detail)
    return {
      found: sifted.map(({ at, outcome, detail }) => ({
        at,
        problem: itsOwn(refusalProblem(new Refusal(0, outcome, detail), anonymous, false)),
      })),
      halted: sifted.some(({ halts }) => halts),
    }
  }
  throw new Error("a sieve ends its batch")
}

/** The plans that are left; what a hook saw too early is planned again. */
async function without<Item extends { readonly draft: Draft }>(
  writer: Writer,
  planned: readonly Planned<Item>[],
  found: readonly { at: number; problem: Problem }[],
  refuse: Refuse<Item>,
): Promise<Planned<Item>[]> {
  const refused: RefusedItem<Item>[] = []
  const again = new Set<Planned<Item>>()
  const gone = new Set<Planned<Item>>()
  for (const { at, problem } of found) {
    const plan = planned[at] as Planned<Item>
    const overtaken = plan.pinned && problem.code === "precondition_failed" && plan.looks < maxLooks
    if (overtaken) again.add(plan)
    else {
      gone.add(plan)
      refused.push({ item: plan.item, problem })
    }
  }
  const instead = refused.length > 0 ? await refuse(refused) : new Map<Item, Item>()
  const left: Planned<Item>[] = []
  for (const plan of planned) {
    const item = gone.has(plan) ? instead.get(plan.item) : plan.item
    if (item === undefined) continue
    if (!gone.has(plan) && !again.has(plan)) left.push(plan)
    else {
      const [next] = await planItems(writer, [item], refuse)
      if (next) left.push({ ...next, looks: plan.looks + 1 })
    }
  }
  return left
}
