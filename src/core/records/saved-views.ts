import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { collection } from "./collection.ts"
import type { Draft } from "./draft.ts"
import { boolean, expression, relation, text } from "./fields.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { findRecord, listRecords, type Page } from "./list.ts"
import { parseListQuery, readParameters } from "./query.ts"
import { select } from "./selection.ts"
import type { View } from "./view.ts"

/*
 * Questions that people keep: which collection, and what to ask of it. They are records like any other, with rights, a
 * history and a change log; what they find is decided by the rights of whoever asks them, at the time of asking.
 */

/**
 * A collection of saved views: one's own, and those that others share, with everybody who is signed in or, with
 * `scope: "organisation"`, with the members of one's organisation. `GET /records/{name}/{id}/records` asks one.
 */
export const savedViews = <const Name extends string>(
  name: Name,
  options: { scope?: "organisation" } = {},
) =>
  collection(name, {
    ...options,
    savedViews: true,
    description:
      "Questions that people keep. They are asked under the rights of whoever asks them.",
    fields: {
      name: text({ required: true, max: 200 }),
      collection: text({ required: true, max: 48, description: "Of which records." }),
      filter: text({ max: 4_000, description: "As of a list, and so are the others." }),
      sort: text({ max: 500 }),
      fields: text({ max: 2_000 }),
      expand: text({ max: 500 }),
      words: text({ max: 500, description: "For the full-text search." }),
      shared: boolean({ required: true, default: false, description: "Whether others see it." }),
      owner: relation("members", { required: true, default: expression("@me.id") }),
    },
    rules: {
      read: "owner = @me.id || (shared = true && @me.id != null)",
      create: "owner = @me.id",
      update: "owner = @me.id",
      delete: "owner = @me.id",
    },
    indexes: ["shared"],
  })

/** What of a question is kept, and the parameter of a list that it is. */
const kept = { filter: "filter", sort: "sort", fields: "fields", expand: "expand", words: "search" }

/**
 * What a saved view finds, for this actor and now. Two trips: the view, then its records.
 *
 * @throws {Problem} `not_found` for a view that the actor does not see, or of a collection that is no more; what a list
 * refuses with, where the view no longer fits the collection or names what this actor does not know.
 */
export async function askSavedView(
  app: App,
  view: View,
  collections: LinkedCollections,
  views: LinkedCollection,
  id: string,
  parameters: URLSearchParams,
): Promise<Page> {
  const one = readParameters(parameters, ["limit", "cursor", "count"])
  const found = await findRecord(
    app,
    view,
    views,
    id,
    select(view, views, { fields: null, expand: [] }),
  )
  if (!found) throw new Problem("not_found")
  const target = collections.get(String(found.record.collection))
  if (!target) throw new Problem("not_found", "There is no such collection any more.")
  const asked = questionOf(found.record)
  for (const name of ["limit", "cursor", "count"]) {
    const value = one(name)
    if (value !== null) asked.set(name, value)
  }
  return listRecords(app, view, target, parseListQuery(view, target, asked))
}

/** The parameters of the list that a saved view is. */
export function questionOf(record: Readonly<Record<string, unknown>>): URLSearchParams {
  const given = Object.entries(kept).filter(([name]) => record[name])
  return new URLSearchParams(given.map(([name, parameter]) => [parameter, String(record[name])]))
}

/**
 * Looks whether what is saved can be asked, by whoever saves it. A patch that does not name the collection is looked at
 * when it is asked.
 *
 * @throws {Problem} `invalid_input` with the fields that the list would refuse as parameters.
 */
export function checkSavedView(view: View, collections: LinkedCollections, draft: Draft): void {
  if (draft.collection.definition.options.savedViews !== true || draft.action === "delete") return
  const { input } = draft
  if (typeof input.collection !== "string") return
  const target = collections.get(input.collection)
  if (!target || view.readRule(target) === false) {
    throw new Problem("invalid_input", {
      detail: `collection: there is no collection "${input.collection}" to ask.`,
      errors: [
        { path: "collection", code: "unknown_value", message: "There is no such collection." },
      ],
    })
  }
  try {
    select(view, target, parseListQuery(view, target, questionOf(input)))
  } catch (error) {
    if (!(error instanceof Problem && error.status === 400)) throw error
    const errors = (error.details.errors ?? []).map((one) => ({ ...one, path: fieldOf(one.path) }))
    throw new Problem("invalid_input", { detail: error.message, errors, cause: error })
  }
}

/** Which field of a saved view holds a parameter: `query.search` is its `words`. */
function fieldOf(path: string): string {
  const parameter = path.replace(/^query\./, "")
  return Object.entries(kept).find(([, name]) => name === parameter)?.[0] ?? parameter
}
