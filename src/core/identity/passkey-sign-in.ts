import type { App } from "../../platform/app.ts"
import { sql } from "../../platform/sql.ts"
import {
  type GivenPasskey,
  knownCredentials,
  requestOptions,
  selectPasskey,
  verifyAssertion,
} from "./assertions.ts"
import type { Caller } from "./caller.ts"
import { type Challenge, createChallenge, openChallenge, spendChallenge } from "./challenges.ts"
import { opened } from "./open-with-factor.ts"
import { personOf, selectMemberships, selectPerson, type User } from "./person.ts"
import { codeRefused } from "./proofs.ts"
import type { RelyingParty } from "./relying-party.ts"
import type { Tokens } from "./sessions.ts"

/**
 * Options for a page that asks for a passkey. Without a challenge: to sign in, as whoever it turns out to be; no trip, and
 * nothing is kept. With the challenge of a first factor: to show the second; one trip that reads.
 *
 * @throws {Problem} `token_invalid`
 */
export async function passkeyOptions(
  app: App,
  party: RelyingParty,
  presented: string | undefined,
): Promise<ReturnType<typeof requestOptions>> {
  if (presented === undefined) {
    return requestOptions(createChallenge(app, "passkeySignIn", {}), party, [])
  }
  const { text, user } = openChallenge(app, presented, "secondFactor")
  const rows = await app.directory.all(
    sql`SELECT id, transports FROM passkeys WHERE user = ${user} ORDER BY createdAt, id`,
  )
  return requestOptions(text, party, knownCredentials(rows))
}

/**
 * The session of whoever holds a passkey and has proved by PIN or finger that it is theirs: two factors in one. Two trips.
 *
 * @throws {Problem} `code_invalid`; as `openSession`
 */
export async function signInWithPasskey(
  app: App,
  challenge: Challenge<"passkeySignIn">,
  given: GivenPasskey,
  caller: Caller,
): Promise<Tokens & { user: User }> {
  const { id } = given.assertion
  const user = sql`(SELECT user FROM passkeys WHERE id = ${id})`
  const [passkeys, found, memberships] = await app.directory.batch([
    selectPasskey(id),
    selectPerson(sql`id = ${user}`),
    selectMemberships(user),
  ])
  const writes = await verifyAssertion(app, passkeys?.[0], given, true)
  if (!writes || !found?.[0]) {
    app.count("signIns", { outcome: "failed" })
    throw codeRefused()
  }
  return opened(app, {
    person: personOf(found[0], memberships ?? []),
    methods: ["hwk"],
    caller,
    writes: [...writes, ...spendChallenge(app, challenge)],
  })
}
