import { createHash } from "node:crypto"
import { beforeEach, describe, expect, test } from "vitest"
import { loadArgon2 } from "../../../src/core/identity/argon2.ts"
import { hashPassword } from "../../../src/core/identity/passwords.ts"
import { createFirstAdministrator } from "../../../src/core/identity/users.ts"
import { sql } from "../../../src/platform/sql.ts"
import {
  bindings,
  call,
  claimsOf,
  json,
  password,
  query,
  refusal,
  signIn,
  signUp,
  toolApp,
} from "./cast.ts"

const code = "one-time-code-of-the-deployment"
const env = { ...bindings, ADMIN_CODE_HASH: createHash("sha256").update(code).digest("hex") }
const passwordHash = hashPassword(loadArgon2(), password)

beforeEach(async () => {
  // A deployment without people.
  for (const table of [
    "sessions",
    "account_tokens",
    "users",
    "member_organisations",
    "members",
    "sign_in_attempts",
  ]) {
    await bindings.DB.prepare(`DELETE FROM ${table}`).run()
  }
})

const administrators = () =>
  query(sql`SELECT id FROM users WHERE instr(roles, '"administrator"') > 0`)

describe("by a tool", () => {
  test("the first administrator is made once", async () => {
    const draft = { email: "root@example.com", passwordHash, name: "Root" }
    const made = await createFirstAdministrator(toolApp(), draft)
    expect(made).toMatchObject({ email: "root@example.com", roles: ["administrator"] })
    const second = { ...draft, email: "second@example.com" }
    expect(await createFirstAdministrator(toolApp(), second)).toBeNull()
    const { accessToken } = await signIn("root")
    expect(claimsOf(accessToken).roles).toEqual(["administrator"])
    await json(call("/auth/users", { token: accessToken }), 200)
  })

  test("of ten at once one is made, and the others leave nothing behind", async () => {
    const made = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        createFirstAdministrator(toolApp(), {
          email: `root-${n}@example.com`,
          passwordHash,
          name: null,
        }),
      ),
    )
    expect(made.filter(Boolean)).toHaveLength(1)
    expect(await query(sql`SELECT id FROM users`)).toHaveLength(1)
    expect(await query(sql`SELECT id FROM members`)).toHaveLength(1)
  })

  test("an address that has an account is a conflict", async () => {
    await signUp("ann")
    const draft = { email: "ANN@example.com", passwordHash, name: null }
    await expect(createFirstAdministrator(toolApp(), draft)).rejects.toMatchObject({
      code: "conflict",
    })
    expect(await administrators()).toHaveLength(0)
  })
})

describe("by the one-time code", () => {
  const claim = (given: unknown, bound: object = env, email = "root@example.com") =>
    call("/auth/administrators", { body: { code: given, email, password }, env: bound })

  test("the code makes the administrator, once", async () => {
    const user = await json(claim(code), 201)
    expect(user.roles).toEqual(["administrator"])
    expect(await refusal(claim(code, env, "second@example.com"), 403)).toBe("forbidden")
    expect(await administrators()).toHaveLength(1)
  })

  test("of ten at once one succeeds", async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => claim(code, env, `root-${n}@example.com`)),
    )
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, ...Array(9).fill(403)])
    expect(await administrators()).toHaveLength(1)
  })

  test.each<[string, unknown, object, number, string]>([
    ["a wrong code", "wrong", env, 403, "forbidden"],
    ["the hash for the code", env.ADMIN_CODE_HASH, env, 403, "forbidden"],
    ["no code", undefined, env, 400, "invalid_input"],
    ["an empty code", "", env, 400, "invalid_input"],
    ["a deployment without a code", code, bindings, 404, "not_found"],
    [
      "a deployment with an empty code",
      "",
      { ...bindings, ADMIN_CODE_HASH: "" },
      400,
      "invalid_input",
    ],
    [
      "a deployment with nonsense for a hash",
      code,
      { ...bindings, ADMIN_CODE_HASH: "abc" },
      404,
      "not_found",
    ],
  ])("%s makes none", async (_, given, bound, status, expected) => {
    expect(await refusal(claim(given, bound), status)).toBe(expected)
    expect(await administrators()).toHaveLength(0)
  })
})
