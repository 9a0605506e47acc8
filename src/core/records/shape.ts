import type { Shape, ShapeField, ValueType } from "../expression/types.ts"
import { joinTableOf } from "./columns.ts"
import type { FieldKind } from "./fields.ts"
import { fileRecords } from "./file-records.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"

/** Fields that every record has and the server alone writes, in the order in which they are answered. */
export const systemFieldNames: readonly string[] = [
  "id",
  "version",
  "createdAt",
  "updatedAt",
  "createdBy",
  "updatedBy",
]

/** What the server answers beside a record's own fields: of a view, and of a file, which have no versions, less. */
export const systemFieldsOf = ({ definition }: Pick<LinkedCollection, "definition">) => {
  if (definition === fileRecords) return fileFields
  return definition.options.sql === undefined ? systemFieldNames : viewFields
}

const viewFields: readonly string[] = ["id"]
const fileFields: readonly string[] = ["id", "createdAt"]

const systemField = (name: string, type: ValueType, indexed = false): ShapeField => ({
  kind: "value",
  name,
  column: name,
  type,
  indexed,
})
const systemFields = new Map<string, ShapeField>([
  ["id", systemField("id", "text", true)],
  ["version", systemField("version", "number")],
  ["createdAt", systemField("createdAt", "datetime")],
  ["updatedAt", systemField("updatedAt", "datetime")],
  ["createdBy", systemField("createdBy", "text")],
  ["updatedBy", systemField("updatedBy", "text")],
])

/** How values of a field kind behave in expressions. */
export const valueTypes: Record<FieldKind, ValueType | null> = {
  text: "text",
  markdown: "text",
  email: "text",
  url: "text",
  choice: "text",
  integer: "number",
  number: "number",
  rollup: "number",
  boolean: "boolean",
  date: "date",
  datetime: "datetime",
  json: "json",
  point: "point",
  relation: null,
  relations: null,
  backRelation: null,
}

/** A collection as the expression language sees it. Fields are looked up late, so relations may go round in circles. */
export function shapeOf(collection: LinkedCollection): Shape {
  const { name, definition } = collection
  const indexed = new Set(
    [
      ...(definition.options.indexes ?? []).map((entry) =>
        typeof entry === "string" ? entry : entry[0],
      ),
      ...(definition.options.unique ?? []).map((entry) => entry[0]),
    ].map((field) => field?.replace(/^-/, "")),
  )
  const known = new Map<string, ShapeField | null>()
  return {
    name,
    table: name,
    field(fieldName) {
      const found = known.get(fieldName)
      if (found !== undefined) return found
      const own = collection.fields.get(fieldName)
      if (!own) {
        return systemFieldsOf(collection).includes(fieldName)
          ? (systemFields.get(fieldName) ?? null)
          : null
      }
      const field = shapeField(collection, own, indexed)
      known.set(fieldName, field)
      return field
    },
    fieldNames: () => [...systemFieldsOf(collection), ...collection.fields.keys()],
  }
}

function shapeField(
  collection: LinkedCollection,
  field: LinkedField,
  indexed: ReadonlySet<string | undefined>,
): ShapeField {
  const { name, kind, options } = field
  const target = () => (field.target as LinkedCollection).shape
  const isStored = collection.definition.options.sql === undefined
  if (kind === "relation") return { kind: "one", name, column: name, indexed: true, target }
  if (kind === "relations") {
    const through = { joinTable: joinTableOf(collection.name, name) }
    return { kind: "many", name, indexed: true, target, through }
  }
  if (kind === "backRelation") {
    const backField = options.backField as string
    return {
      kind: "many",
      name,
      indexed: true,
      target,
      through: { backField, backColumn: backField },
    }
  }
  // A view has no index of its own, whatever SQLite makes of those of its tables.
  const isIndexed = kind === "point" ? isStored : indexed.has(name)
  return {
    kind: "value",
    name,
    column: name,
    type: valueTypes[kind] as ValueType,
    indexed: isIndexed || options.unique === true,
  }
}
