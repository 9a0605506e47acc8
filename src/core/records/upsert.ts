import type { App } from "../../platform/app.ts"
import { invalidInput } from "../../platform/problem.ts"
import { allOf, identifier, join, raw, type Sql, sql } from "../../platform/sql.ts"
import type { FileRow } from "./import-file.ts"
import type { LinkedCollection, LinkedField } from "./link.ts"
import { visibility } from "./selection.ts"
import { validatorsOf } from "./validators.ts"
import { encodeValue, type StoredValue } from "./values.ts"
import { mainAlias, mainSource, type View } from "./view.ts"

/**
 * The fields that `upsert` names: `id`, or fields that are unique together. What hides a field from some of its readers
 * hides whether a value exists, so such a field finds nothing.
 *
 * @throws {Problem} `invalid_input`
 */
export function parseUpsert(
  view: View,
  collection: LinkedCollection,
  text: string,
): readonly string[] {
  const fields = text.split(",").map((name) => name.trim())
  const wanted = fields.toSorted().join()
  const known = collection.uniques
    .filter((unique) =>
      unique.every((name) => {
        const field = collection.fields.get(name)
        return field !== undefined && view.fieldRule(field) === true
      }),
    )
    .concat([["id"]])
  const found = known.find((unique) => unique.toSorted().join() === wanted)
  if (found) return found
  const choice = known.map((unique) => unique.join(",")).join(" or ")
  const message = `upsert: "${text}" is not unique in "${collection.name}"; there is ${choice}.`
  throw invalidInput({ path: "query.upsert", code: "not_unique", message })
}

/** The key of a row, as it is stored; null where it has none: then it is a new record, or refused later on. */
export function keyOf(
  collection: LinkedCollection,
  fields: readonly string[],
  { values }: FileRow,
): StoredValue[] | null {
  const key: StoredValue[] = []
  for (const name of fields) {
    const field = collection.fields.get(name)
    const given = values[name] ?? null
    if (given === null) return null
    if (!field) {
      if (typeof given !== "string") return null
      key.push(given)
      continue
    }
    const parsed = validatorsOf(collection).patch.safeParse({ [name]: given })
    if (!parsed.success) return null
    key.push(encodeValue(field, parsed.data[name]))
  }
  return key
}

/** The same, to compare by. */
export function keyText(
  collection: LinkedCollection,
  fields: readonly string[],
  row: FileRow,
): string | null {
  const key = keyOf(collection, fields, row)
  return key && JSON.stringify(key)
}

/** A record that is there already. */
export interface KnownRecord {
  readonly id: string
  readonly version: number
  /** Of the fields that may be hidden in its row, those that the actor may not read. */
  readonly hidden: ReadonlySet<string>
}

/** The records that the actor sees under the keys of rows. One trip. */
export async function findByKey(
  app: App,
  view: View,
  collection: LinkedCollection,
  fields: readonly string[],
  rows: readonly FileRow[],
): Promise<Map<FileRow, KnownRecord>> {
  const keys = rows.map((row) => keyOf(collection, fields, row))
  const at = (n: number): Sql => raw(`json_extract(k.value, '$[${n}]')`)
  const same = fields.map((name, n) => sql`${raw(mainAlias)}.${identifier(name)} = ${at(n)}`)
  const doubtful = [...new Set(rows.flatMap(({ perhapsHidden = [] }) => perhapsHidden))]
  const readable = doubtful.map((name, n) => {
    const rule = view.fieldRule(collection.fields.get(name) as LinkedField)
    return sql`, (${view.compile(rule, mainSource)}) IS TRUE AS ${identifier(`readable${n}`)}`
  })
  const found = await app.db.all(
    sql`SELECT k.key AS "row", ${raw(mainAlias)}."id" AS id, ${raw(mainAlias)}."version" AS version${join(readable, "")} FROM json_each(${JSON.stringify(keys)}) k JOIN ${identifier(collection.name)} ${raw(mainAlias)} ON ${allOf(same)} WHERE ${visibility(view, collection, mainAlias)}`,
  )
  return new Map(
    found.map((one) => [
      rows[one.row as number] as FileRow,
      {
        id: one.id as string,
        version: one.version as number,
        hidden: new Set(doubtful.filter((_, n) => one[`readable${n}`] !== 1)),
      },
    ]),
  )
}
