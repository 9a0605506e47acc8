import type { App } from "../../platform/app.ts"
import { Problem } from "../../platform/problem.ts"
import { sql } from "../../platform/sql.ts"
import { arrivalKeys, assertUnlocked, asTooMany, reserveAttempt } from "./attempts.ts"
import { auditEvent } from "./audit.ts"
import type { Caller } from "./caller.ts"
import { assertHuman } from "./captcha.ts"
import type { Person, User } from "./person.ts"
import { openSession, type Tokens } from "./sessions.ts"

/**
 * A session of somebody who is nobody yet: a person with an id, and no address, password, organisation, role or key.
 * Whatever they make is theirs, and stays it when they take an address (anonymous-upgrade.ts). Who loses the session has
 * lost it all. Two trips: the first counts, so that strangers fill no database.
 *
 * @throws {Problem} `forbidden` where the deployment has none; `rate_limited` with `Retry-After`; as `assertHuman`
 */
export async function openAnonymousSession(
  app: App,
  locale: string | null,
  caller: Caller,
  captchaAnswer: string | null,
): Promise<Tokens & { user: User }> {
  const { settings } = app
  if (!settings.anonymousSessions) {
    throw new Problem("forbidden", "This deployment has no anonymous sessions.")
  }
  await assertHuman(app, "anonymous", captchaAnswer, caller)
  const keys = arrivalKeys(settings.secret, caller.address)
  const counts = await app.directory.batch(reserveAttempt(keys, app.now()))
  asTooMany("Too many anonymous sessions were begun.", () => {
    assertUnlocked(counts.at(-1) ?? [], keys, app.now())
  })
  const person = newcomer(app, locale)
  const { id, email, createdAt } = person
  const insert = sql`INSERT INTO users (id, email, emailNormalised, name, passwordHash, roles, epoch, version, createdAt, updatedAt, kind, locale)
VALUES (${id}, ${email}, ${email}, NULL, NULL, '[]', 1, 1, ${createdAt}, ${createdAt}, 'anonymous', ${locale})`
  const event = auditEvent(app, {
    kind: "user.created",
    user: id,
    caller,
    detail: { kind: "anonymous" },
  })
  return openSession(app, { person, methods: [], caller, arrival: [insert, event] })
}

function newcomer(app: App, locale: string | null): Person {
  const id = app.newId()
  const at = new Date(app.now()).toISOString()
  return {
    id,
    email: `anonymous:${id}`,
    name: null,
    roles: [],
    epoch: 1,
    version: 1,
    createdAt: at,
    updatedAt: at,
    kind: "anonymous",
    emailVerifiedAt: null,
    disabledAt: null,
    locale,
    secondFactors: [],
    memberships: [],
  }
}
