import { isFileField } from "../../core/records/file-records.ts"
import { importRecords } from "../../core/records/import.ts"
import type { LinkedCollection, LinkedCollections, LinkedField } from "../../core/records/link.ts"
import type { Cast } from "../../core/records/personas.ts"
import { isWritable } from "../../core/records/validators.ts"
import type { Actor, App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"

const id = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`

/** The people of the sample. `owner` and two more have records; they tell "one's own" from "somebody's". */
export const sampleCast: Cast = {
  owner: id(1),
  stranger: id(2),
  member: id(4),
  outsider: id(5),
  organisation: id(101),
  otherOrganisation: id(102),
}
const authors = [sampleCast.owner, id(3)]

/** At most so many records for each author: enough for every choice of a status. */
const maxVariants = 6

/**
 * Puts people and some records of theirs into every collection, by its fields alone: each author with each choice. The
 * same whenever it is done. Answers what could not be made, a line each.
 */
export async function addSample(app: App, collections: LinkedCollections): Promise<string[]> {
  const { owner, stranger, member, outsider, organisation, otherOrganisation } = sampleCast
  const people = [owner, stranger, id(3), member, outsider]
  const at = new Date(app.now()).toISOString()
  await app.db.batch([
    ...people.map(
      (person, n) =>
        sql`INSERT INTO members (id, version, createdAt, updatedAt, name, roles, epoch) VALUES (${person}, 1, ${at}, ${at}, ${`Person ${n + 1}`}, '[]', 0)`,
    ),
    sql`INSERT INTO member_organisations (organisation, member, roles) VALUES (${organisation}, ${member}, '["member"]'), (${otherOrganisation}, ${outsider}, '["owner"]')`,
  ])
  const told: string[] = []
  for (const collection of targetsFirst(collections)) {
    for (const of of collection.scoped ? [organisation, otherOrganisation] : [null]) {
      told.push(...(await addRecords(app, collections, collection, of)))
    }
  }
  return told
}

function targetsFirst(collections: LinkedCollections): LinkedCollection[] {
  const ordered: LinkedCollection[] = []
  const visit = (collection: LinkedCollection, way: readonly LinkedCollection[]) => {
    if (ordered.includes(collection) || way.includes(collection)) return
    for (const { kind, target } of collection.fields.values()) {
      if (target && kind !== "backRelation") visit(target, [...way, collection])
    }
    ordered.push(collection)
  }
  for (const collection of collections.values()) visit(collection, [])
  return ordered.filter(({ builtIn, sqlView }) => !builtIn && sqlView === null)
}

async function addRecords(
  app: App,
  collections: LinkedCollections,
  collection: LinkedCollection,
  organisation: string | null,
): Promise<string[]> {
  const fields = [...collection.fields.values()].filter(isWritable)
  const owned = fields.some(({ kind, target }) => kind === "relation" && target?.name === "members")
  const table = `"${collection.name}"`
  const [some] = await app.db.all({ text: `SELECT 1 FROM ${table} LIMIT 1`, params: [] })
  // A demo's own records are better than ours, unless nobody owns them.
  if (some && !owned && !collection.scoped) return []
  const variants = Math.min(maxVariants, Math.max(2, ...fields.map(valuesOf)))
  const actor: Actor = { kind: "system", organisation }
  const problems = new Set<string>()
  let made = 0
  for (const author of owned ? authors : [sampleCast.owner]) {
    for (let n = 0; n < variants; n++) {
      const input = await inputOf(app, fields, author, n, made)
      try {
        await importRecords(app, actor, collections, collection, [{ input }])
        made++
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        // Unique fields leave one author with fewer.
        if (error.code !== "conflict") problems.add(error.message)
      }
    }
  }
  return made > 0
    ? []
    : [...problems].map((problem) => `${collection.name}: no sample, because ${problem}`)
}

const valuesOf = ({ kind, options }: LinkedField): number =>
  kind === "choice" ? (options.choices?.length ?? 1) : kind === "boolean" ? 2 : 1

async function inputOf(
  app: App,
  fields: readonly LinkedField[],
  author: string,
  n: number,
  made: number,
): Promise<Record<string, unknown>> {
  const input: Record<string, unknown> = {}
  for (const field of fields) {
    if (isFileField(field)) continue
    if (field.target) {
      const { name } = field.target
      const rows =
        name === "members"
          ? [{ id: author }]
          : await app.db.all({
              text: `SELECT "id" FROM "${name}" ORDER BY "pk" LIMIT 1 OFFSET ${n}`,
              params: [],
            })
      const ids = rows.map((row) => row.id)
      input[field.name] = field.kind === "relations" ? ids : (ids[0] ?? null)
    } else input[field.name] = sampleValue(field, n, made)
  }
  return input
}

/** A value that fits, as far as the field's options tell; a `pattern` has to be met by the product's own demo. */
function sampleValue({ name, kind, options }: LinkedField, n: number, made: number): unknown {
  const least = typeof options.min === "number" ? options.min : 1
  switch (kind) {
    case "choice":
      return options.choices?.[n % options.choices.length]
    case "boolean":
      return n % 2 === 1
    case "integer":
    case "number":
      return Math.min(
        Math.max(Math.ceil(least), 1) + n,
        Number(options.max ?? Number.MAX_SAFE_INTEGER),
      )
    case "date":
      return `2026-01-${String(n + 1).padStart(2, "0")}`
    case "datetime":
      return `2026-01-${String(n + 1).padStart(2, "0")}T12:00:00.000Z`
    case "email":
      return `${name}-${made}@example.com`.toLowerCase()
    case "url":
      return `https://example.com/${name}/${made}`
    case "json":
      return { n }
    default:
      return `${name} ${made}`
        .padEnd(Math.min(least, 200), ".")
        .slice(0, Number(options.max ?? 200))
  }
}
