import type { Actor, App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { atIndex, Problem } from "../../platform/problem.ts"
import type { Sql } from "../../platform/sql.ts"
import { epochRefusal } from "../identity/epoch.ts"
import { touchedByDeletion } from "./cascade-plan.ts"
import type { Draft, Written } from "./draft.ts"
import { isOvertaken, isRehearsed, type Objection, refusalProblem, rehearsed } from "./guard.ts"
import { type Idempotency, idempotencyStatements, isReplay, keepResult } from "./idempotency.ts"
import type { LinkedCollections } from "./link.ts"
import type { Operation } from "./operations.ts"
import { type PlannedDraft, planDraft } from "./plan.ts"
import { answerOf, madeBefore, statusOf } from "./read-back.ts"
import { statementsOf } from "./statements.ts"
import { viewFor } from "./view.ts"

const maxAttempts = 3

export interface CommitOptions {
  readonly idempotency?: Idempotency | null
  /** The drafts are a list of the caller's: refusals name the position in it, also when there is but one. */
  readonly indexed?: boolean
  /** All is judged as if it were written, and nothing is. Answers nothing. */
  readonly rehearsal?: boolean
  /** Statements that are to hold exactly when the writes do; they run after them. */
  readonly along?: readonly Sql[]
}

/**
 * Runs all drafts in one batch, in order: all or nothing. Guards, the writes, their lines in the change log, and the
 * answers read back are one trip; each answer is the record as its own draft left it. Hooks run before it; a hook that
 * needs the stored record costs one more.
 *
 * @throws {Problem} `not_found`, `forbidden`, `precondition_failed`, `invalid_input` (reference), `conflict`,
 * with `index` when there are several drafts; `token_outdated`; whatever a hook refuses with.
 */
export async function commit(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  drafts: readonly Draft[],
  options: CommitOptions = {},
): Promise<Written[]> {
  const { idempotency = null } = options
  const indexed = options.indexed ?? drafts.length > 1
  for (let attempt = 1; ; attempt++) {
    const planned = await planAll(app, actor, collections, drafts, indexed).catch(
      async (refusal: unknown) => {
        // What a hook (or a right that is gone) refuses today may be the repetition of what went through before.
        await assertNotUsed(app, actor, idempotency, drafts[0])
        throw refusal
      },
    )
    try {
      return await runPlanned(app, actor, collections, planned, options)
    } catch (error) {
      if (isReplay(error) || isOvertaken(error)) throw error
      if (options.rehearsal && isRehearsed(error)) return []
      const problem = refusalProblem(error, actor.kind === "anonymous", indexed)
      // A hook saw a version that no longer stands, although the caller did not ask for one: look again.
      const overtaken =
        planned.some(({ pinned }) => pinned) &&
        problem instanceof Problem &&
        problem.code === "precondition_failed"
      if (!overtaken || attempt === maxAttempts) throw problem
    }
  }
}

/** Throws a refusal that `isReplay` knows, when the key was used. */
async function assertNotUsed(
  app: App,
  actor: Actor,
  idempotency: Idempotency | null,
  draft: Draft | undefined,
): Promise<void> {
  if (idempotency && draft)
    await app.db.all(idempotencyStatements(app, actor, idempotency, draft).guard)
}

async function planAll(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  drafts: readonly Draft[],
  indexed: boolean,
): Promise<PlannedDraft[]> {
  const planned: PlannedDraft[] = []
  for (const [index, draft] of drafts.entries()) {
    try {
      planned.push(await planDraft(app, actor, collections, drafts.slice(0, index), draft))
    } catch (error) {
      throw indexed ? atIndex(error, index) : error
    }
  }
  return planned
}

/** Writes what is planned, in one batch. What is refused is thrown as the database says it. */
export async function runPlanned(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  planned: readonly PlannedDraft[],
  { idempotency = null, rehearsal = false, along = [] }: CommitOptions,
): Promise<Written[]> {
  const drafts = planned.map(({ draft }) => draft)
  const statements: Sql[] = []
  const once =
    idempotency && drafts[0] ? idempotencyStatements(app, actor, idempotency, drafts[0]) : null
  if (once) statements.push(once.guard, ...once.begin)
  // Whether the token still stands is the first question of the first guard.
  let first: readonly Objection[] = standing(actor)
  const view = viewFor(app, actor, collections)
  const answers: ((results: Row[][]) => Written)[] = []
  const several = planned.length > 1 || planned.some(({ steps }) => steps.length > 1)
  for (const [index, { draft, steps, jobs }] of planned.entries()) {
    for (const { operation, view } of steps) {
      statements.push(...statementsOf(app, view, operation, index, first))
      first = []
    }
    statements.push(...jobs)
    if (rehearsal) continue
    // What other writes of the same batch may have touched has to be read back.
    const alone = several ? undefined : steps[0]?.operation
    answers.push(answerOf(app, view, draft, alone, statements))
    if (once && idempotency?.several) {
      statements.push(keepResult(actor, idempotency, draft, statusOf(app, draft)))
    }
  }
  if (once) statements.push(...once.end)
  statements.push(...along)
  if (rehearsal) statements.push(rehearsed)
  const results = await app.db.batch(statements)
  const heard = planned.some(({ steps }) => steps.some(({ operation }) => isHeard(operation)))
  if (heard) app.wake("changes")
  else if (!rehearsal) app.wakeFollowers()
  if (planned.some(({ jobs }) => jobs.length > 0)) app.wake("jobs")
  const written = answers.map((answer) => answer(results))
  const subjects = drafts.map(({ collection }) => collection)
  return written.map((it, at) => ({
    ...it,
    created: it.created && !madeBefore(subjects, written, at),
  }))
}

/** That the caller's rights are what their token says. */
export const standing = (actor: Actor): Objection[] =>
  actor.kind === "user" ? [{ outcome: "token_outdated", condition: epochRefusal(actor) }] : []

/** Whether a listener waits for what the operation may have written. */
const isHeard = ({ action, collection }: Operation): boolean =>
  (action === "delete" ? touchedByDeletion(collection) : [collection]).some(
    ({ definition }) => definition.options.afterCommit,
  )
