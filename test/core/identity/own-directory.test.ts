import { expect, test } from "vitest"
import { sql } from "../../../src/platform/sql.ts"
import { bindings, call, json, password, query, type SignedIn } from "./cast.ts"

/* Where people have a database of their own, their mails and their jobs are there, too. */

const env = { ...bindings, DIRECTORY: bindings.DB_SECOND }
const post = (path: string, body: object, token?: string) =>
  call(path, { env, body, ...(token && { token }) })

const tokenOf = async (template: string): Promise<string> => {
  const [mail] = await query(
    sql`SELECT text FROM mails WHERE template = ${template} ORDER BY id DESC LIMIT 1`,
    bindings.DB_SECOND,
  )
  return /#(hat_[\w-]{43})/.exec(mail?.text as string)?.[1] as string
}

test("flows work where people and records lie apart, and leave nothing of them with the records", async () => {
  const email = "apart@example.com"
  const user = await json<{ id: string }>(
    post("/auth/users", { email, password, name: "Apart" }),
    201,
  )
  const token = await tokenOf("account.verify-email")
  expect((await post("/auth/email-verifications/confirmations", { token })).status).toBe(204)
  await post("/auth/mail-codes", { email })
  const link = await tokenOf("account.sign-in-code")
  const session = await json<SignedIn>(post("/auth/sessions", { token: link }), 201)
  await json(call("/probe", { env, token: session.accessToken }), 200)
  expect(
    await query(
      sql`SELECT 1 FROM mails UNION ALL SELECT 1 FROM jobs UNION ALL SELECT 1 FROM audit_events`,
    ),
  ).toEqual([])
  const jobs = await query(sql`SELECT name FROM jobs`, bindings.DB_SECOND)
  expect(jobs.length).toBeGreaterThan(1)

  const gone = await call("/auth/me", { env, method: "DELETE", token: session.accessToken })
  expect(gone.status).toBe(204)
  const [member] = await query(sql`SELECT name, epoch FROM members WHERE id = ${user.id}`)
  expect(member).toEqual({ name: null, epoch: 2 })
  const log = await query(sql`SELECT payload FROM changes WHERE record = ${user.id}`)
  expect(JSON.stringify(log)).not.toContain("Apart")
})
