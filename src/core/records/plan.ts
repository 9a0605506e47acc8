import type { Actor, App } from "../../platform/app.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import type { Sql } from "../../platform/sql.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { insertJobs, type NewJob } from "../jobs/enqueue.ts"
import type { AlsoWrite, HookRecord, Writing } from "./collection.ts"
import type { Draft } from "./draft.ts"
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
import { changed } from "./read-back.ts"
import { readOnly } from "./route-context.ts"
import { checkSavedView } from "./saved-views.ts"
import { decodeRow, select } from "./selection.ts"
import { permissionQuery } from "./statements.ts"
import { parsePatchOfHook } from "./validators.ts"
import { type View, viewFor } from "./view.ts"

/* What a draft comes to before the database is asked: hooks heard, defaults filled in, one operation after another. */

const maxHookDepth = 5

/** A draft that is ready to be written. */
export interface PlannedDraft {
  readonly draft: Draft
  /** In the order of the batch: its own operation, then those of its hooks, each with the view of who writes it. */
  readonly steps: readonly { readonly operation: Operation; readonly view: View }[]
  /** Of hooks: a statement for each write that they answered. */
  readonly jobs: readonly Sql[]
  /** True when a hook pinned a version that the caller did not. */
  readonly pinned: boolean
}

/**
 * Asks the hooks of a draft, and of what they write themselves. A hook that needs the stored record costs a trip.
 *
 * @param before drafts of the same batch that are written before it
 * @throws {Problem} whatever speaks against it already, or a hook refuses with
 */
export async function planDraft(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  before: readonly Draft[],
  draft: Draft,
): Promise<PlannedDraft> {
  const steps: { operation: Operation; view: View }[] = []
  const jobs: Sql[] = []
  let pinned = false
  const add = async (draft: Draft, writer: Actor, depth: number): Promise<void> => {
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
    steps.push({ operation: operationOf(view, amended.draft, given), view })
    const organisation = writer.kind === "anonymous" ? null : (writer.organisation ?? null)
    if (amended.jobs.length > 0) {
      const own = amended.jobs.map((job) => ({ organisation, ...job }))
      jobs.push(insertJobs(app, own, changed(app, amended.draft)))
    }
    for (const also of amended.also) {
      await add(draftOfHook(app, collections, also), { kind: "system", organisation }, depth + 1)
    }
  }
  assertSeenAsStored(before, draft)
  await add(draft, ("writer" in draft && draft.writer) || actor, 0)
  return { draft, steps, jobs, pinned }
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
        changes: draft.restored
          ? toStored(collection, draft.input)
          : toChanges(collection, draft.input),
        given,
        expected: draft.expected,
        ...(draft.restored && { restored: true }),
      }
    case "put": {
      const whole = withDefaults(view, collection, draft.input)
      return {
        action: "put",
        collection,
        record: newRecord(collection, id, whole, given),
        replacement: draft.patch
          ? toChanges(collection, draft.patch)
          : toStored(collection, replacementOf(view, collection, draft.input)),
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
