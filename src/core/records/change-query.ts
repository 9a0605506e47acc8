import { invalidInput } from "../../platform/problem.ts"
import type { ManyChange } from "./change-many.ts"
import type { LinkedCollection } from "./link.ts"
import { parseFilter, readParameters } from "./query.ts"
import type { View } from "./view.ts"

/**
 * Which records are to be changed. There is no change of all without saying so: `filter=id != null` does.
 *
 * @throws {Problem} `invalid_input` or `invalid_expression`, naming the parameter.
 */
export function parseChangeQuery(
  view: View,
  collection: LinkedCollection,
  parameters: URLSearchParams,
): Pick<ManyChange, "filter" | "dryRun"> & { readonly filterText: string } {
  const one = readParameters(parameters, ["filter", "dryRun"])
  const filterText = one("filter")
  if (!filterText?.trim()) {
    const message = "filter: say which records; `id != null` are all of them."
    throw invalidInput({ path: "query.filter", code: "required", message })
  }
  const dryRun = one("dryRun") ?? "false"
  if (dryRun !== "true" && dryRun !== "false") {
    const message = 'dryRun: "true" or "false".'
    throw invalidInput({ path: "query.dryRun", code: "unknown_value", message })
  }
  return {
    filter: parseFilter(view, collection, filterText),
    dryRun: dryRun === "true",
    filterText,
  }
}
