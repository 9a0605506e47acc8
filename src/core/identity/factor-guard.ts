import type { App, UserActor } from "../../platform/app.ts"
import { Refusal, type Row } from "../../platform/database.ts"
import { Problem } from "../../platform/problem.ts"
import { type Sql, sql } from "../../platform/sql.ts"
import { refuse, sessionRefusal } from "./directory-guard.ts"
import { hasSecondFactor } from "./factors.ts"
import { tellById, wakeMail } from "./mails.ts"
import { assertRecent, levelOf } from "./step-up.ts"

/** So many of a kind a person may have: more than anybody needs, few enough to look through at each sign-in. */
export const maxFactors = 20

/**
 * Writes to how a person proves who they are: in one batch, behind its guard, and with the mail that tells them. Asks
 * for a recent proof, and, of whoever has a second factor, for a session that has shown it: a password that leaked
 * together with a session must not be enough to take the second factor off.
 *
 * @throws {Problem} `step_up_required`, `forbidden`, `token_outdated`, and what `writes` refuse: `used` is `code_invalid`,
 * `full` and `last` are `conflict`, `not_found`
 */
export async function changeFactors(
  app: App,
  actor: UserActor,
  writes: readonly Sql[],
  what: "factorAdded" | "factorRemoved" | null = null,
): Promise<Row[][]> {
  assertRecent(app, actor)
  return writeFactors(app, actor, writes, what)
}

/** As `changeFactors`, where the recent proof was asked for before: the person has been to a provider since. */
export async function writeFactors(
  app: App,
  actor: UserActor,
  writes: readonly Sql[],
  what: "factorAdded" | "factorRemoved" | null = null,
): Promise<Row[][]> {
  const guard = [
    refuse("outdated", sessionRefusal(actor)),
    ...(levelOf(actor.methods) === "aal2"
      ? []
      : [refuse("weak", hasSecondFactor(sql`${actor.id}`))]),
  ]
  try {
    const told = what ? tellById(app, actor.id, what) : []
    const rows = await app.directory.batch([...guard, ...writes, ...told])
    if (what) wakeMail(app)
    return rows.slice(guard.length, guard.length + writes.length)
  } catch (error) {
    throw error instanceof Refusal ? problemOf(error) : error
  }
}

function problemOf(refusal: Refusal): unknown {
  switch (refusal.outcome) {
    case "outdated":
      return new Problem("token_outdated")
    case "weak":
      return new Problem("step_up_required", {
        detail: "Prove with your second factor that it is you.",
        headers: {
          "www-authenticate": 'Bearer error="insufficient_user_authentication", acr_values="aal2"',
        },
        extensions: { level: "aal2" },
      })
    case "used":
      return new Problem("code_invalid")
    case "full":
      return new Problem("conflict", `At most ${maxFactors} of these are kept: remove one first.`)
    case "last":
      return new Problem("conflict", "Without it you could not sign in any more: add another way.")
    case "not_found":
      return new Problem("not_found")
    default:
      return refusal
  }
}
