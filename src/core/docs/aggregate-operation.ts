import {
  defaultAggregateItems,
  maxAggregateItems,
  maxGroups,
  maxMeasures,
} from "../records/aggregate-query.ts"
import type { LinkedCollection } from "../records/link.ts"
import { systemFieldsOf } from "../records/shape.ts"
import type { Parameter, Schema } from "./document.ts"
import { fieldsKnownTo, type Reader } from "./reader.ts"

/** Parameters of an aggregate; filter and search are those of a list. */
export function aggregateParameters(
  reader: Reader,
  collection: LinkedCollection,
  list: readonly Parameter[],
): Parameter[] {
  const fields = fieldsKnownTo(reader, collection)
  const named = (...kinds: string[]) => fields.find(({ kind }) => kinds.includes(kind))?.name
  const number = named("integer", "number", "rollup") ?? "version"
  const day = named("date", "datetime") ?? "createdAt"
  const groups = [
    ...systemFieldsOf(collection),
    ...fields
      .filter(({ kind }) => !["json", "point", "relations", "backRelation"].includes(kind))
      .map(({ name }) => name),
  ]
  return [
    {
      ...listOfTerms("group", maxGroups),
      description: `What makes a group: at most ${maxGroups} of ${groups.map((name) => `\`${name}\``).join(", ")}, of fields of related records (\`relation.field\`), and of spans of time in UTC: \`day(field)\` (\`2026-11-21\`), \`week(field)\` (ISO 8601, \`2026-W47\`), \`month(field)\` (\`2026-11\`), \`year(field)\` (\`2026\`). Records without a value are a group with null. Without \`measure\` the groups are answered alone: the distinct values.`,
      example: [`month(${day})`],
    },
    {
      ...listOfTerms("measure", maxMeasures),
      description: `What is measured of each group, or of all records where there is no \`group\`: \`count\`, and of a field, or a field of a related record, \`sum(field)\`, \`avg(field)\`, \`min(field)\`, \`max(field)\`, \`countDistinct(field)\`. Null is passed over; of nothing a sum is 0, and \`avg\`, \`min\` and \`max\` are null. A sum of whole numbers is exact, and may be beyond 2^53. \`count\` unless told, where there is no \`group\`.`,
      example: ["count", `sum(${number})`],
    },
    ...list.filter(({ name }) => name === "filter" || name === "search"),
    {
      ...listOfTerms("sort", 3),
      description:
        "The order of the groups, at most three of the groups and measures asked for, `-` for descending; nulls come first ascending and last descending. The groups break ties, and are the order unless told.",
      example: ["-count"],
    },
    {
      name: "limit",
      in: "query",
      description: "How many groups a page has.",
      schema: {
        type: "integer",
        minimum: 1,
        maximum: maxAggregateItems,
        default: defaultAggregateItems,
      },
    },
    {
      name: "cursor",
      in: "query",
      description: "`next` of the page before, sent with the same other parameters.",
      schema: { type: "string" },
    },
  ]
}

const listOfTerms = (
  name: string,
  maxItems: number,
): { name: string; in: "query"; style: "form"; explode: false; schema: Schema } => ({
  name,
  in: "query",
  style: "form",
  explode: false,
  schema: { type: "array", maxItems, items: { type: "string", maxLength: 2_000 } },
})

/** The answer of every saved view: its records are those of the collection that it asks. */
export const savedViewPageSchema: Schema = {
  type: "object",
  required: ["items", "next"],
  properties: {
    items: { type: "array", items: { type: "object", additionalProperties: true } },
    next: { type: ["string", "null"], description: "The `cursor` of the next page." },
    count: { type: "integer", minimum: 0, description: "With `count=exact`: of all pages." },
  },
}

/** The answer of every aggregate: what its items hold follows from the question. */
export const aggregatePageSchema: Schema = {
  type: "object",
  description:
    "Groups and what was measured of them. Each value is named as it was asked for: `month(releasedOn)`, `count`.",
  required: ["items", "next"],
  properties: {
    items: {
      type: "array",
      items: { type: "object", additionalProperties: true },
    },
    next: {
      type: ["string", "null"],
      description: "The `cursor` of the next page; null where these are all.",
    },
  },
}
