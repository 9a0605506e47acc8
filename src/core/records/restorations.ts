import type { Actor } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { parseWith } from "../../platform/validate.ts"
import type { Draft, Written } from "./draft.ts"
import { type HistoryReach, readVersions, type Versions } from "./history.ts"
import type { Idempotency } from "./idempotency.ts"
import { imageValue } from "./image.ts"
import { type Input, parsePatch } from "./input.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { withoutLostFiles } from "./lost-files.ts"
import type { ExpectedVersions } from "./operations.ts"
import { deletedTogether } from "./restored-together.ts"
import { isWritable, validatorsOf } from "./validators.ts"
import { type Line, readableFields } from "./versions.ts"
import { commit } from "./write.ts"

export interface Restoration {
  readonly id: string
  readonly version: number
  /** Of a deleted record: those that went with it come back with it. */
  readonly together: boolean
  readonly expected: ExpectedVersions
  readonly idempotency: Idempotency | null
}

/**
 * Makes a record what it was in one of its versions, as a new version, through the one write path: rules, validation,
 * references and hooks are those of any write. Two trips: what the version held, then the write; a third between them where
 * it held files, because those that are gone do not come back.
 *
 * Of a record that exists, what the actor may read in that version is put back; what it may not, and fields that the
 * version does not know, stay as they are. A deleted record comes back as it last was, under its id, with that laid over
 * it; it takes the right to delete it, and the right to create it as it will be.
 *
 * @throws {Problem} `not_found` unless the actor sees the version; whatever a write is refused with.
 */
export async function restore(
  reach: HistoryReach,
  actor: Actor,
  { id, version, together, expected, idempotency }: Restoration,
): Promise<Written> {
  const { app, collections, collection } = reach
  const found = await readVersions(reach, id, () => sql`c.version = ${version}`, 1)
  const [line] = found.lines
  if (!line?.seen) throw new Problem("not_found")
  const drafts: Draft[] = found.deletion
    ? [revivalDraft(reach, found.deletion, line)]
    : [
        {
          action: "update",
          collection,
          id,
          input: inputOf(reach, found, line),
          expected,
          restored: true,
        },
      ]
  if (found.deletion) {
    // An If-Match names a version that exists; of what is gone none does.
    if (expected !== null) throw new Problem("precondition_failed")
    if (together) drafts.push(...(await draftsTogether(reach, found.deletion)))
  }
  const possible = await withoutLostFiles(app, drafts)
  const [written] = await commit(app, actor, collections, possible, {
    indexed: false,
    idempotency,
  })
  return written as Written
}

/** What the actor may read of the version, as a patch. */
function inputOf({ view, collection }: HistoryReach, found: Versions, line: Line): Input {
  const fields = readableFields(view, collection, found.rights, line.rights)
  return parsePatch(view, collection, line.record, valuesOf(fields, line.image))
}

/** Values of what the image knows, in the forms of the API. */
const valuesOf = (fields: readonly LinkedField[], image: Line["image"]): Record<string, unknown> =>
  Object.fromEntries(
    fields
      .filter((field) => isWritable(field) && field.name in image)
      .map((field) => [field.name, imageValue(field, image)]),
  )

function revivalDraft({ view, collection }: HistoryReach, deletion: Line, line: Line): Draft {
  const last = valuesOf([...collection.fields.values()], deletion.image)
  const readable = readableFields(view, collection, deletion.rights, line.rights)
  const wanted = valuesOf(readable, line.image)
  const given = Object.keys(wanted).filter(
    (name) => JSON.stringify(wanted[name]) !== JSON.stringify(last[name]),
  )
  const named = new Set(readableFields(view, collection, deletion.rights).map(({ name }) => name))
  return revivedAs(collection, deletion, { ...last, ...wanted }, new Set(given), named)
}

/** A record that comes back as `input`. */
function revivedAs(
  collection: LinkedCollection,
  { record, version, image }: Pick<Line, "record" | "version" | "image">,
  input: Record<string, unknown>,
  given: ReadonlySet<string>,
  named: ReadonlySet<string>,
): Draft & { readonly action: "create" } {
  return {
    action: "create",
    collection,
    id: record,
    input: validated(collection, input, named),
    revival: {
      deletion: version,
      createdAt: image.createdAt as string,
      createdBy: image.createdBy as string | null,
      given,
      named,
    },
  }
}

/** @throws {Problem} `invalid_input`; `conflict` where what no longer fits is hidden from the actor. */
function validated(
  collection: LinkedCollection,
  input: Record<string, unknown>,
  named: ReadonlySet<string>,
): Input {
  try {
    return parseWith(validatorsOf(collection).create, input) as Input
  } catch (error) {
    const hidden =
      error instanceof Problem &&
      error.details.errors?.some(({ path }) => !named.has(path.split(".")[0] as string))
    if (!hidden) throw error
    throw new Problem("conflict", "The record no longer fits its collection.")
  }
}

/** Those that its deletion took along come back as they went: by the engine. */
async function draftsTogether(reach: HistoryReach, deletion: Line): Promise<Draft[]> {
  const gone = await deletedTogether(reach, deletion)
  return gone.map(({ collection, organisation, line }) => ({
    ...revivedAs(
      collection,
      line,
      valuesOf([...collection.fields.values()], line.image),
      new Set(),
      new Set(),
    ),
    writer: { kind: "system", organisation },
  }))
}
