import { beforeAll, expect, test } from "vitest"
import { call } from "../../support/people.ts"
import { join, type Member, organisationOf, path, person, query } from "./organisation-cast.ts"

/*
 * Who may do what in an organisation: one row an action, one column a persona. Before each row all is as at the start.
 */

const insiders = ["owner", "admin", "steward", "herald", "member", "guest"] as const
const personas = [...insiders, "outsider", "administrator", "anonymous"] as const
type Persona = (typeof personas)[number]

/** On whom the personas act. */
const targets = ["owner", "admin", "member"] as const

const people: Partial<Record<Persona, Member>> = {}
const others: Partial<Record<(typeof targets)[number], Member>> = {}
let organisation: string

beforeAll(async () => {
  const owner = await person("owner")
  organisation = await organisationOf(owner)
  people.owner = owner
  for (const role of insiders.slice(1)) {
    const one = await person(role)
    await join(one, organisation, role)
    people[role] = one
  }
  for (const role of targets) {
    const one = await person(`other-${role}`)
    await join(one, organisation, role)
    others[role] = one
  }
  people.outsider = await person("outsider")
  people.administrator = await person("root", ["administrator"])
  await keep()
})

const tables = ["organisations", "organisation_members", "member_organisations", "sessions"]
let kept: { table: string; rows: Record<string, unknown>[] }[] = []
let epochs: Record<string, unknown>[] = []

async function keep(): Promise<void> {
  kept = []
  for (const table of tables) kept.push({ table, rows: await query(`SELECT * FROM ${table}`) })
  epochs = await query("SELECT id, epoch FROM users")
}

/** As it was: versions go on rising, but memberships, and with the epochs all tokens, are those of the start. */
async function restore(): Promise<void> {
  await query("DELETE FROM invitations")
  await query("DELETE FROM organisation_members")
  for (const { table, rows } of kept) {
    for (const row of rows) {
      const names = Object.keys(row)
      await query(
        `INSERT INTO ${table} (${names}) VALUES (${names.map(() => "?")}) ON CONFLICT DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`)}`,
        Object.values(row),
      )
    }
  }
  for (const { id, epoch } of epochs) {
    await query("UPDATE users SET epoch = ? WHERE id = ?", [epoch, id])
    await query("UPDATE members SET epoch = ? WHERE id = ?", [epoch, id])
  }
  for (const role of ["member", "owner"]) {
    await query(
      "INSERT INTO invitations (id, organisation, email, emailNormalised, roles, hash, invitedBy, createdAt, expiresAt) VALUES (?1, ?2, ?3, ?3, ?4, ?3, ?5, '2026-01-01T00:00:00.000Z', '2199-01-01T00:00:00.000Z')",
      [invitations[role], organisation, `${role}@x.test`, `["${role}"]`, people.owner?.id],
    )
  }
}

const invitations: Record<string, string> = {
  member: crypto.randomUUID(),
  owner: crypto.randomUUID(),
}

type Action = [method: string, path: (self: string) => string, body?: () => object]

const toMember = (role: (typeof targets)[number], roles: string[]): Action => [
  "PATCH",
  () => `/members/${others[role]?.id}`,
  () => ({ roles }),
]
const remove = (role: (typeof targets)[number]): Action => [
  "DELETE",
  () => `/members/${others[role]?.id}`,
]
const inviteTo = (...roles: string[]): Action => [
  "POST",
  () => "/invitations",
  () => ({ email: "new@example.test", roles }),
]

//                                               owner admin steward herald member guest outsider administrator anonymous
test.each<[string, Action, number[]]>([
  ["read it", ["GET", () => ""], [200, 200, 200, 200, 200, 200, 404, 200, 401]],
  ["list its members", ["GET", () => "/members"], [200, 200, 200, 200, 200, 403, 404, 200, 401]],
  [
    "list its invitations",
    ["GET", () => "/invitations"],
    [200, 200, 403, 200, 403, 403, 404, 200, 401],
  ],
  ["invite a guest", inviteTo("guest"), [201, 201, 403, 201, 403, 403, 404, 201, 401]],
  ["invite a member", inviteTo("member"), [201, 201, 403, 403, 403, 403, 404, 201, 401]],
  ["invite an admin", inviteTo("admin"), [201, 201, 403, 403, 403, 403, 404, 201, 401]],
  ["invite an owner", inviteTo("owner"), [201, 403, 403, 403, 403, 403, 404, 201, 401]],
  [
    "invite a guest who is an owner",
    inviteTo("guest", "owner"),
    [201, 403, 403, 403, 403, 403, 404, 201, 401],
  ],
  [
    "invite an administrator of the deployment",
    inviteTo("administrator"),
    [400, 400, 400, 400, 400, 400, 400, 400, 401],
  ],
  [
    "rename it",
    ["PATCH", () => "", () => ({ name: "New" })],
    [200, 403, 403, 403, 403, 403, 404, 200, 401],
  ],
  [
    "change its policy",
    ["PATCH", () => "", () => ({ policy: { sessionSeconds: 900 } })],
    [200, 403, 403, 403, 403, 403, 404, 200, 401],
  ],
  [
    "make a member a guest",
    toMember("member", ["guest"]),
    [200, 200, 200, 403, 403, 403, 404, 200, 401],
  ],
  [
    "make a member an admin",
    toMember("member", ["admin"]),
    [200, 200, 403, 403, 403, 403, 404, 200, 401],
  ],
  [
    "make a member a herald",
    toMember("member", ["herald"]),
    [200, 200, 403, 403, 403, 403, 404, 200, 401],
  ],
  [
    "make a member an owner",
    toMember("member", ["owner"]),
    [200, 403, 403, 403, 403, 403, 404, 200, 401],
  ],
  [
    "make a member an administrator of the deployment",
    toMember("member", ["administrator"]),
    [400, 400, 400, 400, 400, 400, 400, 400, 401],
  ],
  [
    "make an admin a member",
    toMember("admin", ["member"]),
    [200, 200, 403, 403, 403, 403, 404, 200, 401],
  ],
  [
    "make an owner a member",
    toMember("owner", ["member"]),
    [200, 403, 403, 403, 403, 403, 404, 200, 401],
  ],
  ["remove a member", remove("member"), [204, 204, 204, 403, 403, 403, 404, 204, 401]],
  ["remove an admin", remove("admin"), [204, 204, 403, 403, 403, 403, 404, 204, 401]],
  ["remove an owner", remove("owner"), [204, 403, 403, 403, 403, 403, 404, 204, 401]],
  [
    "leave",
    ["DELETE", (self) => `/members/${self}`],
    [204, 204, 204, 204, 204, 204, 404, 404, 401],
  ],
  [
    "make themselves an owner",
    ["PATCH", (self) => `/members/${self}`, () => ({ roles: ["owner"] })],
    [200, 403, 403, 403, 403, 403, 404, 404, 401],
  ],
  [
    "take back an invitation to members",
    ["DELETE", () => `/invitations/${invitations.member}`],
    [204, 204, 403, 403, 403, 403, 404, 204, 401],
  ],
  [
    "take back an invitation to owners",
    ["DELETE", () => `/invitations/${invitations.owner}`],
    [204, 403, 403, 403, 403, 403, 404, 204, 401],
  ],
  [
    "hand it to a member",
    ["POST", () => "/ownership-transfers", () => ({ user: others.member?.id })],
    [201, 403, 403, 403, 403, 403, 404, 201, 401],
  ],
  [
    "hand it to a stranger",
    ["POST", () => "/ownership-transfers", () => ({ user: people.outsider?.id })],
    [404, 403, 403, 403, 403, 403, 404, 404, 401],
  ],
  [
    "delete it, with members in it",
    ["DELETE", () => ""],
    [409, 403, 403, 403, 403, 403, 404, 409, 401],
  ],
])("who may %s", async (_, [method, rest, body], expected) => {
  const answered: number[] = []
  for (const persona of personas) {
    await restore()
    const as = people[persona] ?? null
    const before = await memberships()
    const answer = await call(
      as,
      method,
      path(organisation, rest(as?.id ?? crypto.randomUUID())),
      body?.(),
    )
    answered.push(answer.status)
    if (answer.status >= 400) expect(await memberships(), persona).toEqual(before)
  }
  expect(Object.fromEntries(personas.map((name, i) => [name, answered[i]]))).toEqual(
    Object.fromEntries(personas.map((name, i) => [name, expected[i]])),
  )
})

const memberships = async () => [
  await query("SELECT * FROM organisation_members ORDER BY organisation, user"),
  await query("SELECT id, acceptedAt, revokedAt FROM invitations ORDER BY id"),
  await query("SELECT id, epoch, version FROM users ORDER BY id"),
]

test("who may act in it", async () => {
  await restore()
  const answered: number[] = []
  for (const persona of personas) {
    const as = people[persona] ?? null
    const answer = await call(as, "PUT", "/auth/sessions/current/organisation", { organisation })
    answered.push(answer.status)
  }
  expect(answered).toEqual([200, 200, 200, 200, 200, 200, 404, 404, 401])
})

test("an organisation that does not exist answers outsiders like one that does", async () => {
  await restore()
  for (const [method, rest, body] of [
    ["GET", ""],
    ["PATCH", "", { name: "x" }],
    ["DELETE", ""],
    ["GET", "/members"],
    ["GET", "/invitations"],
    ["DELETE", `/members/${others.member?.id}`],
    ["POST", "/invitations", { email: "a@b.test", roles: ["guest"] }],
  ] as const) {
    const answers = await Promise.all(
      [organisation, crypto.randomUUID()].map(async (id) => {
        const answer = await call(people.outsider as Member, method, path(id, rest), body)
        const { requestId: _, ...problem } = (await answer.json()) as Record<string, unknown>
        return [answer.status, problem]
      }),
    )
    expect(answers[0]).toEqual(answers[1])
  }
})

test("what administrators of the deployment do is told apart in the audit log", async () => {
  await restore()
  await query("DELETE FROM audit_events")
  for (const persona of ["owner", "administrator"] as const) {
    await restore()
    await call(
      people[persona] as Member,
      "DELETE",
      path(organisation, `/members/${others.member?.id}`),
    )
  }
  const told = await query(
    "SELECT actor, detail ->> 'authority' AS authority FROM audit_events ORDER BY id",
  )
  expect(told).toEqual([
    { actor: people.owner?.id, authority: "member" },
    { actor: people.administrator?.id, authority: "administrator" },
  ])
})
