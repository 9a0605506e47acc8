import { invalidInput } from "../../platform/problem.ts"
import { isRefusal, type Refusal, refusalOf } from "./bulk-report.ts"
import type { Importer, ImportWay } from "./import-chunk.ts"
import type { FileRow } from "./import-file.ts"
import type { LinkedCollection } from "./link.ts"
import { keyText } from "./upsert.ts"

/** Rows of a file as they come in, some of them refused already. */
export type FileRows = AsyncIterable<readonly (FileRow | Refusal)[]>

/** A chunk travels to D1 as one value of 2 MB at most, and a character may take six bytes of JSON. */
export const chunkCharacters = 300_000

/** How long nothing may be passed on while a file comes in. */
interface Patience {
  readonly milliseconds: number
  now(): number
}

/**
 * The rows in chunks that one batch can take, and in which each row can be told what it will find. With `patience` also
 * what there is when it ends: fewer rows, or none.
 */
export async function* chunksOf(
  { chunkRows }: Pick<Importer, "chunkRows">,
  collection: LinkedCollection,
  { upsert }: Pick<ImportWay, "upsert">,
  rows: FileRows,
  patience: Patience | null = null,
): AsyncGenerator<(FileRow | Refusal)[]> {
  const restricted = [...collection.fields.values()].filter(({ writable }) => writable !== null)
  let chunk: (FileRow | Refusal)[] = []
  let characters = 0
  let given: string | null = null
  let passedOn = patience?.now() ?? 0
  // Rows before which nothing can be told of what they will find: a hook is shown what is stored.
  const apart = collection.definition.options.beforeWrite !== undefined
  let keys = new Map<string, unknown>()
  function* passOn() {
    const passed = chunk
    chunk = []
    characters = 0
    given = null
    keys = new Map()
    passedOn = patience?.now() ?? 0
    yield passed
  }
  for await (const piece of rows) {
    for (const read of piece) {
      const row = transportable(read)
      const key = upsert && !isRefusal(row) ? keyText(collection, upsert, row) : null
      const id = isRefusal(row) ? undefined : (row.values.id ?? undefined)
      // Whoever gives a restricted field is judged by it, and nobody else.
      const gives: string | null = isRefusal(row)
        ? given
        : restricted.map(({ name }) => (Object.hasOwn(row.values, name) ? 1 : 0)).join("")
      const length = isRefusal(row) ? 0 : row.characters
      const full =
        chunk.length === chunkRows ||
        characters + length > chunkCharacters ||
        (given !== null && gives !== given) ||
        // What one row makes under a key, the next changes; under another id it might make another, if that one fails.
        (key !== null && keys.has(key) && (apart || (id !== undefined && id !== keys.get(key))))
      if (full && chunk.length > 0) yield* passOn()
      chunk.push(row)
      characters += length
      given = isRefusal(row) ? given : gives
      if (key !== null && !keys.has(key)) keys.set(key, id)
    }
    if (patience && patience.now() - passedOn > patience.milliseconds) yield* passOn()
  }
  if (chunk.length > 0) yield chunk
}

/** D1 takes values of 2 MB, and a row is never more than one. */
export const maxValueBytes = 1_900_000

function transportable(row: FileRow | Refusal): FileRow | Refusal {
  if (isRefusal(row) || row.characters <= chunkCharacters) return row
  if (new TextEncoder().encode(JSON.stringify(row)).length < maxValueBytes) return row
  const message = "The row has too many bytes."
  return refusalOf(row.line, invalidInput({ path: "body", code: "too_big", message }))
}
