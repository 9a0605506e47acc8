import type { Actor, App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { atIndex, invalidInput, Problem } from "../../platform/problem.ts"
import type { Sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe, epochRefusal } from "../identity/epoch.ts"
import { insertJobs, type NewJob } from "../jobs/enqueue.ts"
import { touchedByDeletion } from "./cascade-plan.ts"
import type { AlsoWrite, HookRecord, Writing } from "./collection.ts"
import type { Draft, Written } from "./draft.ts"
import { isOvertaken, isRehearsed, type Objection, refusalProblem, rehearsed } from "./guard.ts"
import { type Idempotency, idempotencyStatements, isReplay, keepResult } from "./idempotency.ts"
import {
  assertComplete,
  type Input,
  replacementOf,
  toChanges,
  toStored,
  withDefaults,
} from "./input.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { recordQuery } from "./list.ts"
import type { NewRecord, Operation, Revival } from "./operations.ts"
import { answerOf, changed, madeBefore, statusOf } from "./read-back.ts"
import { readOnly } from "./route-context.ts"
import { checkSavedView } from "./saved-views.ts"
import { decodeRow, select } from "./selection.ts"
import { permissionQuery, statementsOf } from "./statements.ts"
import { parsePatchOfHook } from "./validators.ts"
import { type View, viewFor } from "./view.ts"

const maxHookDepth = 5
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
    const planned = await plan(app, actor, collections, drafts, indexed).catch(
      async (refusal: unknown) => {
        // What a hook (or a right that is gone) refuses today may be the repetition of what went through before.
        await assertNotUsed(app, actor, idempotency, drafts[0])
        throw refusal
      },
    )
    try {
      return await run(app, actor, collections, drafts, planned, options)
    } catch (error) {
      if (isReplay(error) || isOvertaken(error)) throw error
      if (options.rehearsal && isRehearsed(error)) return []
      const problem = refusalProblem(error, actor.kind === "anonymous", indexed)
      // A hook saw a version that no longer stands, although the caller did not ask for one: look again.
      const overtaken =
        planned.pinned && problem instanceof Problem && problem.code === "precondition_failed"
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

interface Planned {
  /** In the order of the batch: each with the actor who writes it and the draft that it belongs to. */
  readonly steps: readonly {
    readonly operation: Operation
    readonly view: View
    readonly draft: number
  }[]
  /** Of hooks, in one statement for each write that they answered. */
  readonly jobs: readonly { readonly draft: number; readonly insert: Sql }[]
  /** True when a hook pinned a version that the caller did not. */
  readonly pinned: boolean
}

async function plan(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  drafts: readonly Draft[],
  indexed: boolean,
): Promise<Planned> {
  const steps: { operation: Operation; view: View; draft: number }[] = []
  const jobs: { draft: number; insert: Sql }[] = []
  let pinned = false
  const add = async (draft: Draft, writer: Actor, index: number, depth: number): Promise<void> => {
    if (depth > maxHookDepth) {
      throw new Error(
        `beforeWrite of "${draft.collection.name}" writes in circles, ${maxHookDepth} deep`,
      )
    }
    if (draft.collection.sqlView !== null) throw readOnly(draft.collection.name)
    const view = viewFor(app, writer, collections)
    refuseAnonymous(view, draft.action, draft.collection)
    const given = givenBy(draft)
    const filled =
      draft.action === "create"
        ? { ...draft, input: withDefaults(view, draft.collection, draft.input) }
        : draft
    const amended = await amend(app, view, collections, filled)
    pinned ||= amended.pinned
    checkSavedView(view, collections, amended.draft)
    steps.push({ operation: operationOf(view, amended.draft, given), view, draft: index })
    const organisation = writer.kind === "anonymous" ? null : (writer.organisation ?? null)
    if (amended.jobs.length > 0) {
      const own = amended.jobs.map((job) => ({ organisation, ...job }))
      jobs.push({ draft: index, insert: insertJobs(app, own, changed(app, amended.draft)) })
    }
    for (const also of amended.also) {
      await add(
        draftOfHook(app, collections, also),
        { kind: "system", organisation },
        index,
        depth + 1,
      )
    }
  }
  for (const [index, draft] of drafts.entries()) {
    try {
      assertSeenAsStored(drafts.slice(0, index), draft)
      await add(draft, ("writer" in draft && draft.writer) || actor, index, 0)
    } catch (error) {
      throw indexed ? atIndex(error, index) : error
    }
  }
  return { steps, jobs, pinned }
}

const givenBy = (draft: Draft): ReadonlySet<string> =>
  draft.action === "create" && draft.revival
    ? draft.revival.given
    : new Set("input" in draft ? Object.keys(draft.input) : [])

/**
 * A hook is shown the record as it is stored before the batch: after another write of the same batch that would be untrue.
 *
 * @throws {Problem} `invalid_input`
 */
function assertSeenAsStored(before: readonly Draft[], { action, collection, id }: Draft): void {
  if (!looksAtStored(collection, action)) return
  if (!before.some((other) => other.collection === collection && other.id === id)) return
  const message = `What decides about "${collection.name}" looks at the stored record: write it once in a batch.`
  throw invalidInput({ path: "path", code: "repeated", message })
}

/**
 * Where no record could make a difference a session could, so the anonymous are told before their input is looked at.
 * People with a session are asked about by the guard: their token may be older than their rights.
 *
 * @throws {Problem} `unauthenticated`
 */
export function refuseAnonymous(
  view: View,
  action: Draft["action"],
  collection: LinkedCollection,
): void {
  if (view.actor.kind !== "anonymous") return
  const { create, update, delete: remove } = collection.rules
  const may = {
    create: () => view.writeRule(collection, "create", create) !== false,
    update: () => view.writeRule(collection, "update", update?.before ?? null) !== false,
    delete: () => view.writeRule(collection, "delete", remove) !== false,
  }
  const allowed = action === "put" ? may.create() || may.update() : may[action]()
  if (!allowed) throw new Problem("unauthenticated")
}

interface Amended {
  readonly draft: Draft
  readonly also: readonly AlsoWrite[]
  readonly jobs: readonly NewJob[]
  readonly pinned: boolean
}

/** Asks the collection's hook, and lays its answer over the draft. */
async function amend(
  app: App,
  view: View,
  collections: LinkedCollections,
  draft: Draft,
): Promise<Amended> {
  const hook = draft.collection.definition.options.beforeWrite
  if (!hook) return { draft, also: [], jobs: [], pinned: false }
  const looks = looksAtStored(draft.collection, draft.action)
  const stored = looks ? await storedRecord(app, view, collections, draft) : null
  const action = draft.action === "put" ? (stored ? "update" : "create") : draft.action
  const input = "input" in draft ? draft.input : null
  const writing: Writing = {
    action,
    id: draft.id,
    input: input && action === "create" ? withDefaults(view, draft.collection, input) : input,
    record: hook.needs === "record" ? stored : null,
    actor: view.actor,
    app,
  }
  const amendment = await hook.run(writing)
  const set = amendment?.set && parsePatchOfHook(draft.collection, amendment.set)
  // Of a PUT a hook was told whether it creates or replaces, so that is pinned; the version only where it saw the record.
  const choosesOnly = draft.action === "put" && draft.only === null
  const pins =
    hook.needs === "record" && stored !== null && "expected" in draft && draft.expected === null
  const only = choosesOnly ? (stored ? "replace" : "create") : null
  return {
    draft: {
      ...draft,
      ...(set && "input" in draft && { input: { ...draft.input, ...set } }),
      ...(pins && { expected: [stored.version as number] }),
      ...(only && { only }),
    } as Draft,
    also: amendment?.also ?? [],
    jobs: amendment?.jobs ?? [],
    pinned: pins || only !== null,
  }
}

/** Whether a PUT creates or replaces is for the database to say. */
function looksAtStored({ definition }: LinkedCollection, action: Draft["action"]): boolean {
  const hook = definition.options.beforeWrite
  if (!hook) return false
  return action === "put" || (hook.needs === "record" && action !== "create")
}

/** With the system's eyes, but only where the actor may change the record: a hook must not speak of it to anyone else. */
async function storedRecord(
  app: App,
  view: View,
  collections: LinkedCollections,
  draft: Draft,
): Promise<HookRecord | null> {
  const { actor } = view
  const organisation = actor.kind === "anonymous" ? null : (actor.organisation ?? null)
  const everything = viewFor(app, { kind: "system", organisation }, collections)
  const all = select(everything, draft.collection, { fields: null, expand: [] })
  const action = draft.action === "delete" ? "delete" : "update"
  const changes = toChanges(draft.collection, "input" in draft ? draft.input : {})
  const results = await app.db.batch([
    recordQuery(everything, draft.collection, draft.id, all),
    permissionQuery(view, draft.collection, draft.id, action, changes),
    ...(actor.kind === "user" ? [epochProbe(actor)] : []),
  ])
  assertEpoch(actor, results[2])
  const row = results[0]?.[0]
  if (!row) {
    if (draft.action === "put") return null
    throw new Problem("not_found")
  }
  if (!results[1]?.length) {
    // To replace only what is hidden is to replace nothing.
    if (draft.action === "put" && draft.only === "replace") return null
    throw new Problem("not_found")
  }
  if (results[1][0]?.allowed !== 1) {
    throw new Problem(actor.kind === "anonymous" ? "unauthenticated" : "forbidden")
  }
  return decodeRow(everything, all, row)
}

function draftOfHook(app: App, collections: LinkedCollections, also: AlsoWrite): Draft {
  const collection = collections.get(also.collection)
  if (!collection)
    throw new Error(`beforeWrite writes to "${also.collection}", which is not a collection`)
  switch (also.action) {
    case "create":
      return {
        action: "create",
        collection,
        id: app.newId(),
        input: parsePatchOfHook(collection, also.input),
      }
    case "update":
      return {
        action: "update",
        collection,
        id: also.id,
        input: parsePatchOfHook(collection, also.input),
        expected: null,
      }
    case "delete":
      return { action: "delete", collection, id: also.id, expected: null }
  }
}

/** `given` names what the caller sent: defaults and what hooks derive are nobody's attempt to write a field. */
function operationOf(view: View, draft: Draft, given: ReadonlySet<string>): Operation {
  const { collection, id } = draft
  switch (draft.action) {
    case "create":
      return {
        action: "create",
        collection,
        records: [{ ...newRecord(collection, id, draft.input, given), ...revivalOf(draft) }],
        ...(draft.revival && { chosenIds: true }),
      }
    case "update":
      return {
        action: "update",
        collection,
        id,
        changes: draft.inPlace
          ? toStored(collection, draft.input)
          : toChanges(collection, draft.input),
        given,
        expected: draft.expected,
      }
    case "put": {
      const whole = withDefaults(view, collection, draft.input)
      return {
        action: "put",
        collection,
        record: newRecord(collection, id, whole, given),
        replacement: toStored(collection, replacementOf(view, collection, draft.input)),
        expected: draft.expected,
        only: draft.only,
      }
    }
    case "delete":
      return { action: "delete", collection, id, expected: draft.expected }
  }
}

const revivalOf = ({ revival }: { revival?: Revival }) => revival && { revival }

function newRecord(
  collection: LinkedCollection,
  id: string,
  input: Input,
  given: ReadonlySet<string>,
): NewRecord {
  assertComplete(collection, input)
  return { id, ...toStored(collection, input), given }
}

async function run(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  drafts: readonly Draft[],
  { steps, jobs }: Planned,
  { idempotency = null, rehearsal = false, along = [] }: CommitOptions,
): Promise<Written[]> {
  const statements: Sql[] = []
  const once =
    idempotency && drafts[0] ? idempotencyStatements(app, actor, idempotency, drafts[0]) : null
  if (once) statements.push(once.guard, ...once.begin)
  // Whether the token still stands is the first question of the first guard.
  let first: readonly Objection[] =
    actor.kind === "user" ? [{ outcome: "token_outdated", condition: epochRefusal(actor) }] : []
  const view = viewFor(app, actor, collections)
  const answers: ((results: Row[][]) => Written)[] = []
  for (const [index, draft] of drafts.entries()) {
    const own = steps.filter((step) => step.draft === index)
    for (const { operation, view } of own) {
      statements.push(...statementsOf(app, view, operation, index, first))
      first = []
    }
    statements.push(...jobs.filter((job) => job.draft === index).map(({ insert }) => insert))
    if (rehearsal) continue
    // What other writes of the same batch may have touched has to be read back.
    const alone = steps.length === 1 ? own[0]?.operation : undefined
    answers.push(answerOf(app, view, draft, alone, statements))
    if (once && idempotency?.several) {
      statements.push(keepResult(actor, idempotency, draft, statusOf(app, draft)))
    }
  }
  if (once) statements.push(...once.end)
  statements.push(...along)
  if (rehearsal) statements.push(rehearsed)
  const results = await app.db.batch(statements)
  const heard = steps.some(({ operation }) => isHeard(operation))
  if (heard) app.wake("changes")
  if (jobs.length > 0) app.wake("jobs")
  const written = answers.map((answer) => answer(results))
  const subjects = drafts.map(({ collection }) => collection)
  return written.map((it, at) => ({
    ...it,
    created: it.created && !madeBefore(subjects, written, at),
  }))
}

/** Whether a listener waits for what the operation may have written. */
const isHeard = ({ action, collection }: Operation): boolean =>
  (action === "delete" ? touchedByDeletion(collection) : [collection]).some(
    ({ definition }) => definition.options.afterCommit,
  )
