import type { App } from "../../platform/app.ts"
import { sendVerification } from "./email-verifications.ts"
import { wakeMail } from "./mails.ts"
import type { User } from "./person.ts"
import { createUser, type NewUser } from "./users.ts"

/**
 * A new person, and in the same batch the mail that asks for their address to be confirmed. One trip.
 *
 * @throws {Problem} `conflict` when the address, whatever its case, belongs to an account.
 */
export async function signUp(app: App, draft: NewUser): Promise<User> {
  const user = await createUser(app, draft, (person) => sendVerification(app, person))
  wakeMail(app)
  return user
}
