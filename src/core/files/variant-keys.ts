import type { Row } from "../../platform/database.ts"
import { type Sql, sql } from "../../platform/sql.ts"

/** Where a variant of a file lies. */
export const variantKey = (file: string, name: string): string => `variants/${file}/${name}`

/** What `variantKeys` reads, in the batch that has deleted the file. Those beyond R2's thousand at once are the sweep's. */
export const variantsLeft = (file: string): Sql =>
  sql`SELECT name FROM file_variants WHERE file = ${file} AND fileGone = 1 LIMIT 999`

export const variantKeys = (file: string, rows: readonly Row[] = []): string[] =>
  rows.map(({ name }) => variantKey(file, name as string))
