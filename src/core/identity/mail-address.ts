import { sql } from "../../platform/sql.ts"
import type { AddressOf } from "../mail/delivery.ts"

/** Where a person gets mail: looked up when it leaves, so that no other code needs to know it. One trip. */
export const addressOf: AddressOf = async (app, user) => {
  const [row] = await app.directory.all(sql`SELECT email, name FROM users WHERE id = ${user}`)
  // Programs, the anonymous and the deleted have something else in its place.
  if (!row || !(row.email as string).includes("@")) return null
  return { email: row.email as string, name: row.name as string | null }
}
