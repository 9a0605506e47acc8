import type { App } from "../../platform/app.ts"
import type { Row } from "../../platform/database.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import type { ProvedIdentity } from "./proved-identity.ts"

/** An account with a provider that its person can sign in with. */
export interface Identity {
  readonly id: string
  /** Name of the provider. */
  readonly provider: string
  readonly issuer: string
  /** The address that the provider told when it was linked. */
  readonly email: string
  readonly createdAt: string
  readonly lastUsedAt: string | null
}

/** All of a person's, the oldest first, as `identityOf` reads them. */
export const selectIdentities = (user: string): Sql =>
  sql`SELECT id, provider, issuer, subject, email, createdAt, lastUsedAt FROM identities WHERE user = ${user} ORDER BY createdAt, id`

/** Without the subject: only the issuer knows anything to do with it. */
export const identityOf = ({ subject: _, ...row }: Row): Identity => row as unknown as Identity

interface Linking {
  readonly user: string
  readonly email: string
  readonly session?: string
  readonly caller: Caller
}

/** For the batch that makes the account, or of a session of its person. Another's identity breaks its UNIQUE index. */
export function insertIdentity(
  app: App,
  { provider, issuer, subject }: ProvedIdentity,
  { user, email, session, caller }: Linking,
): { readonly identity: Identity; readonly writes: Sql[] } {
  const id = app.newId()
  const createdAt = new Date(app.now()).toISOString()
  const event = {
    kind: "identity.linked",
    user,
    caller,
    detail: { identity: id, provider },
  } as const
  return {
    identity: { id, provider, issuer, email, createdAt, lastUsedAt: null },
    writes: [
      sql`INSERT INTO identities (id, user, provider, issuer, subject, email, createdAt) VALUES (${id}, ${user}, ${provider}, ${issuer}, ${subject}, ${email}, ${createdAt})`,
      auditEvent(app, { ...event, ...(session !== undefined && { session }) }),
    ],
  }
}
