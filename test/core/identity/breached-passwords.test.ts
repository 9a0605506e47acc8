import { expect, test } from "vitest"
import { isBreached } from "../../../src/core/identity/breached-passwords.ts"
import { json, signedIn, signUp } from "./cast.ts"
import { mailedToken, post } from "./mailbox.ts"

test.each([
  ["12345678", true],
  ["password", true],
  ["PassWord", true],
  ["qwertyuiop", true],
  ["correct horse battery", false],
  ["", false],
  ["password\n12345678", false],
])("%j is tried first: %j", async (password, expected) => {
  expect(await isBreached(password)).toBe(expected)
})

test("such a password is refused wherever one is chosen, and the reason is told", async () => {
  const password = "Password1"
  const { accessToken: token } = await signedIn("chooser")
  const user = await signUp("resetter")
  await post("/auth/password-resets", { email: user.email })
  const link = await mailedToken(user.id, "account.reset-password")
  const answers = [
    post("/auth/users", { email: "x@example.com", password }),
    post("/auth/password-changes", { password }, { token }),
    post("/auth/password-resets/confirmations", { token: link, password }),
  ]
  for (const answer of answers) {
    expect(await json(answer, 400)).toMatchObject({
      code: "invalid_input",
      errors: [{ path: "password", code: "breached_password" }],
    })
  }
  // The link is still good.
  const body = { token: link, password: "quite another one" }
  expect((await post("/auth/password-resets/confirmations", body)).status).toBe(204)
})
