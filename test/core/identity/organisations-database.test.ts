import { env } from "cloudflare:workers"
import { beforeAll, expect, test } from "vitest"
import { eventually } from "../../support/eventually.ts"
import { call, costOf } from "../../support/people.ts"
import {
  accept,
  claimsOf,
  invite,
  type Member,
  mailedToken,
  path,
  person,
  query,
  read,
  refresh,
  refused,
  switchTo,
} from "./organisation-cast.ts"

/* An organisation whose records lie in another database than the directory. */

let root: Member
let mia: Member
let far: string
beforeAll(async () => {
  root = await person("root", ["administrator"])
  mia = await person("mia")
  const made = call(root, "POST", "/auth/organisations", { name: "Far", database: "second" })
  far = (await read<{ id: string }>(made, 201)).id
  await refresh(root)
})

const there = (statement: string, params: unknown[] = []) => query(statement, params, env.DB_SECOND)
const memberships = (id: string) =>
  there("SELECT organisation, roles FROM member_organisations WHERE member = ?", [id])
const projectionOf = async (id: string) =>
  (await there("SELECT epoch, version FROM members WHERE id = ?", [id]))[0]
const directoryOf = async (id: string) =>
  (await query("SELECT epoch, version FROM users WHERE id = ?", [id]))[0]

async function joinFar(): Promise<void> {
  await read(invite(root, far, mia.email, "member"), 201)
  const answer = await accept(mia, await mailedToken(mia.email))
  // The directory twice, then the other database.
  expect(costOf(answer).trips).toBe(3)
  await read(answer, 201)
  await refresh(mia)
}

const settled = () =>
  eventually(async () => {
    const open = await query(
      "SELECT id FROM jobs WHERE name = 'identity.project' AND finishedAt IS NULL",
    )
    expect(open).toEqual([])
  }, 50)

test("members are known there at once, and gone at once", async () => {
  await joinFar()
  expect(await memberships(mia.id)).toEqual([{ organisation: far, roles: '["member"]' }])
  expect(await projectionOf(mia.id)).toEqual(await directoryOf(mia.id))
  await switchTo(mia, far)
  expect(claimsOf(mia.token)).toMatchObject({ org: far, db: "second" })
  await read(call(mia, "POST", "/records/tickets", { subject: "far" }), 201)

  expect((await call(root, "DELETE", path(far, `/members/${mia.id}`))).status).toBe(204)
  const write = call(mia, "POST", "/records/tickets", { subject: "late" })
  expect(await refused(write, 401)).toBe("token_outdated")
  expect(await refused(call(mia, "GET", "/records/tickets"), 401)).toBe("token_outdated")
  expect(await memberships(mia.id)).toEqual([])
  expect(await projectionOf(mia.id)).toEqual(await directoryOf(mia.id))
  await refresh(mia)
  await settled()
})

test("those in no organisation do not see whose records lie elsewhere", async () => {
  const nobody = await person("nobody")
  const sees = async (id: string) => (await call(nobody, "GET", `/records/members/${id}`)).status
  expect(await sees(mia.id)).toBe(200)
  await joinFar()
  expect(await sees(mia.id)).toBe(404)
  expect((await call(root, "DELETE", path(far, `/members/${mia.id}`))).status).toBe(204)
  await refresh(mia)
  expect(await sees(mia.id)).toBe(200)
})

test("a projection that was torn off is brought up by the job of the same batch", async () => {
  await joinFar()
  await switchTo(mia, far)
  await settled()
  // A database that refuses stands in for a process that dies between the two.
  await env.DB_SECOND.prepare(
    "CREATE TRIGGER torn BEFORE UPDATE ON members BEGIN SELECT RAISE(ABORT, 'torn'); END",
  ).run()
  const removed = await call(root, "DELETE", path(far, `/members/${mia.id}`))
  // The change stands: the directory has it, and the next token.
  expect(removed.status).toBe(204)
  expect(await memberships(mia.id)).toEqual([{ organisation: far, roles: '["member"]' }])
  expect(await query("SELECT 1 FROM organisation_members WHERE user = ?", [mia.id])).toEqual([])
  expect(await refused(call(mia, "GET", "/auth/me"), 401)).toBe("token_outdated")
  const [job] = await query(
    "SELECT payload, state FROM jobs WHERE name = 'identity.project' ORDER BY id DESC LIMIT 1",
  )
  expect(JSON.parse(job?.payload as string)).toEqual({ user: mia.id, databases: ["second"] })
  await env.DB_SECOND.prepare("DROP TRIGGER torn").run()
  await settled()
  expect(await memberships(mia.id)).toEqual([])
  expect(await projectionOf(mia.id)).toEqual(await directoryOf(mia.id))
  expect(await refused(call(mia, "POST", "/records/tickets", { subject: "late" }), 401)).toBe(
    "token_outdated",
  )
})

test("an organisation beside the directory needs no job, because its projection is in the batch", async () => {
  const before = await query("SELECT count(*) AS n FROM jobs WHERE name = 'identity.project'")
  const olga = await person("olga")
  const answer = await call(olga, "POST", "/auth/organisations", { name: "Near" })
  expect(costOf(answer).trips).toBe(2)
  expect(await query("SELECT count(*) AS n FROM jobs WHERE name = 'identity.project'")).toEqual(
    before,
  )
})
