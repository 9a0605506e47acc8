import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import type { Draft } from "./draft.ts"
import { fileFieldsOf } from "./file-records.ts"
import type { LinkedField } from "./link.ts"

/**
 * The drafts of a restoration, without the files that are kept no longer: nothing brings these back, and without them the
 * record still can come. Where a field needs one the guard will say that it is gone. One trip, where there are files at all.
 */
export async function withoutLostFiles(
  app: App,
  drafts: readonly Draft[],
): Promise<readonly Draft[]> {
  const wanted = drafts.flatMap((draft) =>
    fileFieldsOf(draft.collection).flatMap((field) => idsIn(draft, field)),
  )
  if (wanted.length === 0) return drafts
  const rows = await app.db.all(
    sql`SELECT id FROM files WHERE id IN (SELECT value FROM json_each(${JSON.stringify(wanted)})) AND state = 'stored'`,
  )
  const kept = new Set(rows.map(({ id }) => id as string))
  return drafts.map((draft) => {
    const left = fileFieldsOf(draft.collection).flatMap((field) => {
      const ids = idsIn(draft, field)
      const some = ids.filter((id) => kept.has(id))
      const value = field.kind === "relations" ? some : (some[0] ?? null)
      const missed = some.length < ids.length && !(field.required && some.length === 0)
      return missed ? [[field.name, value] as const] : []
    })
    return "input" in draft
      ? { ...draft, input: { ...draft.input, ...Object.fromEntries(left) } }
      : draft
  })
}

function idsIn(draft: Draft, { name }: LinkedField): string[] {
  const value = "input" in draft ? (draft.input[name] as string | string[] | null | undefined) : []
  return [value ?? []].flat()
}
