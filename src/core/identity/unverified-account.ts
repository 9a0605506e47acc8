import type { App } from "../../platform/app.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import type { Person } from "./person.ts"

/**
 * For the first proof of who reads the mail of an account: whoever signed up with this address before, and was not its
 * reader, may have left a passkey, an identity, an authenticator or a key behind. Nothing, where the address was proved before.
 */
export const expelStrangers = (app: App, { id, emailVerifiedAt }: Person): Sql[] =>
  emailVerifiedAt !== null
    ? []
    : [
        sql`DELETE FROM passkeys WHERE user = ${id}`,
        sql`DELETE FROM identities WHERE user = ${id}`,
        sql`DELETE FROM authenticators WHERE user = ${id}`,
        sql`DELETE FROM recovery_codes WHERE user = ${id}`,
        sql`UPDATE api_keys SET revokedAt = ${new Date(app.now()).toISOString()} WHERE user = ${id} AND revokedAt IS NULL`,
      ]
