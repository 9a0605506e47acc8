import { maxExpandDepth } from "../records/fan-out.ts"
import type { LinkedCollection } from "../records/link.ts"
import { systemFieldsOf } from "../records/shape.ts"
import type { Parameter, Schema } from "./document.ts"
import { fieldsKnownTo, type Reader } from "./reader.ts"
import { expandable } from "./record-schemas.ts"

/** Parameters that say which parts of a record are answered. */
export function shapeParameters(reader: Reader, collection: LinkedCollection): Parameter[] {
  const own = [
    ...systemFieldsOf(collection),
    ...fieldsKnownTo(reader, collection)
      .filter((field) => field.kind !== "backRelation")
      .map((field) => field.name),
  ]
  const relations = expandable(reader, collection)
  const related = relations[0]
  return [
    {
      ...listOfNames("fields"),
      description: `Answer these fields only: ${codes(own)}${related ? `; or those of related records, as in \`${related.name}.id\`` : ""}.`,
      example: own.slice(0, 1).concat(own.slice(6, 8)),
    },
    ...(related
      ? [
          {
            ...listOfNames("expand"),
            description: `Bring related records along, in \`expanded\`: ${codes(relations.map((field) => field.name))}; of those, their own relations, as in \`${pathOf(reader, collection)}\`, ${maxExpandDepth} deep. A back-relation brings 100 records at most, and any relation to many 10 of each record that was itself brought along; \`expandedNext\` says where it goes on.`,
            example: [related.name],
          },
        ]
      : []),
  ]
}

/** Parameters of a list. */
export function listParameters(reader: Reader, collection: LinkedCollection): Parameter[] {
  const { view } = reader
  const sortable = sortableFields(reader, collection)
  const places = fieldsKnownTo(reader, collection).filter(
    (field) => field.kind === "point" && view.fieldRule(field) === true,
  )
  const searched = collection.searchFields.filter((name) => {
    const field = collection.fields.get(name)
    return field && view.fieldRule(field) === true
  })
  return [
    {
      name: "filter",
      in: "query",
      description:
        "An expression that the records must satisfy; the language is explained at /docs#expressions.",
      schema: { type: "string", maxLength: 4_000 },
      example: filterExample(collection),
    },
    {
      ...listOfNames("sort"),
      description: `The order, at most three of these fields, \`-\` for descending: ${codes(sortable)}${places.length ? `; or how far away the record is: \`distance(${places[0]?.name},latitude,longitude)\`` : ""}. Nulls come first ascending and last descending; \`id\` breaks ties. \`id\` unless told${collection.searchFields.length ? "; a search without it is ranked, the best match first" : ""}.`,
      schema: {
        type: "array",
        maxItems: 3,
        items: places.length
          ? { type: "string", maxLength: 200 }
          : { type: "string", enum: sortable.flatMap((name) => [name, `-${name}`]) },
      },
      example: ["-createdAt"],
    },
    {
      name: "limit",
      in: "query",
      description: "How many records a page has.",
      schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
    },
    {
      name: "cursor",
      in: "query",
      description:
        "`next` of the page before, sent with the same filter, sort and search. Each record that does not change is shown exactly once, whoever writes meanwhile.",
      schema: { type: "string" },
    },
    ...(collection.searchFields.length
      ? [
          {
            name: "search",
            in: "query",
            description: `Words that must all occur in ${codes(searched)}; the last one may be a beginning. Ranked, the best 1,000 records, unless sorted.`,
            schema: { type: "string", maxLength: 500 },
          } as const,
        ]
      : []),
    {
      name: "count",
      in: "query",
      description: "`exact` also counts the records of all pages.",
      schema: { type: "string", enum: ["exact"] },
    },
    ...shapeParameters(reader, collection),
  ]
}

const sortableFields = (reader: Reader, collection: LinkedCollection): string[] => [
  ...systemFieldsOf(collection),
  ...fieldsKnownTo(reader, collection)
    .filter(
      (field) =>
        !["json", "point", "relations", "backRelation"].includes(field.kind) &&
        reader.view.fieldRule(field) === true,
    )
    .map((field) => field.name),
]

const listOfNames = (
  name: string,
): { name: string; in: "query"; style: "form"; explode: false; schema: Schema } => ({
  name,
  in: "query",
  style: "form",
  explode: false,
  schema: { type: "array", maxItems: 100, items: { type: "string" } },
})

/** A relation of a relation, if there is one. */
function pathOf(reader: Reader, collection: LinkedCollection): string {
  const first = expandable(reader, collection)
  for (const field of first) {
    const further = field.target && expandable(reader, field.target)[0]
    if (further) return `${field.name}.${further.name}`
  }
  return first[0]?.name ?? ""
}

function filterExample(collection: LinkedCollection): string {
  const plain = [...collection.fields.values()].filter((field) => field.readable === null)
  const of = (...kinds: string[]) => plain.find((field) => kinds.includes(field.kind))
  const text = of("text", "markdown")
  const choice = of("choice")
  const number = of("integer", "number", "rollup")
  const parts = [
    choice && `${choice.name} = "${choice.options.choices?.[0]}"`,
    text && `${text.name} ~ "an"`,
    number && `${number.name} >= 3`,
  ].filter((part) => part !== undefined)
  return parts.slice(0, 2).join(" && ") || "createdAt > @now - 7d"
}

const codes = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ")
