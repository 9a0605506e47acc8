import type { App } from "../../platform/app.ts"
import { Refusal } from "../../platform/database.ts"
import type { User } from "./person.ts"
import { codeRefused } from "./proofs.ts"
import { openSession, type SignIn, type Tokens } from "./sessions.ts"

/**
 * `openSession`, where `writes` use up a factor or a challenge, and may find that it was used in the meantime.
 *
 * @throws {Problem} `code_invalid`; as `openSession`
 */
export async function opened(app: App, signIn: SignIn): Promise<Tokens & { user: User }> {
  try {
    return await openSession(app, signIn)
  } catch (error) {
    if (error instanceof Refusal && error.outcome === "used") throw codeRefused()
    throw error
  }
}
