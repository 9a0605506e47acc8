import { env, exports } from "cloudflare:workers"
import fc from "fast-check"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { type Located, locate, type OpenApi } from "../../src/core/docs/document.ts"
import { linkKinds } from "../../src/core/identity/account-links.ts"
import { call, type Person, signedIn, signIn } from "../support/people.ts"
import { isSamePath, problemComplaints, successComplaints } from "./fuzz/answers.ts"
import { contents, inconsistencies } from "./fuzz/contents.ts"
import { oversized, requestsFor } from "./fuzz/requests.ts"
import { type Draft, soundRequestsFor } from "./fuzz/sound.ts"

/*
 * Every operation of the OpenAPI document, asked in many wrong ways and some right ones, by everyone. Whatever is sent,
 * the answer is a success that the document describes, or a problem that says what is wrong and has written nothing.
 */

const { env: settings = {} } = import.meta as { env?: Readonly<Record<string, string>> }
/** Set VITE_SEED to replay a run, VITE_RUNS to look harder. */
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
/** For each operation and each person; sign-up and sign-in cost a password hash each, by intent. */
const runs = Number(settings.VITE_RUNS ?? 12)
const slow = new Set(["signUp", "createFirstAdministrator", "signIn", "changePassword"])

interface Asker {
  readonly name: string
  person: Person | null
  readonly document: OpenApi
}

const askers: Asker[] = []
let operations: Located[] = []
/** Ids of records by collection, for drafts to name. */
const ids = new Map<string, string[]>()
/** The newest files of each person, whose own records may hold them. */
const filesOf = new Map<string, string[]>()
const succeeded = new Set<string>()
const statuses = new Map<number, number>()
let sent = 0
/** Second pages, and third ones: that is where cursors come from. */
let followed = 0
const maxFollowed = 2_000

beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  const people = {
    anonymous: null,
    person: await signedIn("person"),
    editor: await signedIn("editor", ["editor"]),
    administrator: await signedIn("administrator", ["administrator"]),
    member: await memberOfAnOrganisation("member"),
  }
  for (const [name, person] of Object.entries(people)) {
    const document: OpenApi = await (await call(person, "GET", "/openapi.json")).json()
    askers.push({ name, person, document })
  }
  operations = locate((askers.find(({ name }) => name === "administrator") as Asker).document.paths)
  const others = [await signedIn("victim"), await signedIn("bystander")]
  ids.set(
    "members",
    [...Object.values(people), ...others].flatMap((one) => one?.id ?? []),
  )
  ids.set(
    "users",
    others.map(({ id }) => id),
  )
  ids.set("links", [...linkKinds])
  const sessions = await env.DB.prepare("SELECT id FROM sessions").all<{ id: string }>()
  ids.set(
    "sessions",
    sessions.results.map(({ id }) => id),
  )
  for (const person of Object.values(people)) if (person) await furnish(person)
  await furnishJobs()
  await furnishOperations()
  await furnishMail()
  await furnishOrganisations()
  await furnishInvitations()
  await furnishPasskeys()
})

afterAll(() => {
  const answered = [...statuses].sort(([a], [b]) => a - b).map(([status, n]) => `${n} × ${status}`)
  console.log(`fuzz: ${sent} requests (VITE_SEED=${seed}): ${answered.join(", ")}`)
})

/** Signed in for an organisation, so that collections of organisations answer. */
async function memberOfAnOrganisation(name: string): Promise<Person> {
  const { id, email } = await signedIn(name)
  const organisation = crypto.randomUUID()
  const at = new Date().toISOString()
  await env.DB.batch([
    env.DB.prepare(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, 'Org', 'main', ?)",
    ).bind(organisation, at),
    env.DB.prepare("INSERT INTO organisation_members VALUES (?, ?, '[]', ?)").bind(
      organisation,
      id,
      at,
    ),
    env.DB.prepare("INSERT INTO member_organisations VALUES (?, ?, '[]')").bind(organisation, id),
  ])
  return signIn(email)
}

/** A few records of each collection that this person may create. */
async function furnish(person: Person): Promise<void> {
  const make = async (collection: string, body: object, root = "records") => {
    const made = await call(person, "POST", `/${root}/${collection}`, body)
    if (made.status !== 201) return null
    const { id } = (await made.json()) as { id: string }
    ids.set(collection, [...(ids.get(collection) ?? []), id])
    return id
  }
  const send = async () => {
    const sent = new Request("http://127.0.0.1/files?name=hello.txt", {
      method: "POST",
      headers: { authorization: `Bearer ${person.token}`, "content-length": "5" },
      body: "hello",
    })
    return ((await (await exports.default.fetch(sent)).json()) as { id: string }).id
  }
  filesOf.set(person.id, [await send(), await send(), await send()])
  const held = await send()
  await make("exhibits", { title: "hello", open: true, leaflets: [held] })
  await make("posters", { sheet: held })
  await make("boards", { sheets: [held] })
  const begun = await call(person, "POST", "/files/uploads", undefined, {
    "tus-resumable": "1.0.0",
    "upload-length": "100000",
  })
  ids.set("uploads", [
    ...(ids.get("uploads") ?? []),
    begun.headers.get("location")?.slice(15) ?? "",
  ])
  const tag = await make("tags", { name: `hello ${person.id}` })
  const project = await make("projects", { name: "hello" })
  for (const status of ["draft", "published"]) {
    const article = await make("articles", {
      title: "hello world",
      body: "hello",
      status,
      words: 3,
      note: "n",
      project,
      tags: tag ? [tag] : [],
      meta: { a: [1] },
    })
    await make("comments", { article, text: "hello", stars: 4, approved: status === "published" })
  }
  await make("places", { name: "hello", location: { latitude: 1, longitude: 2 } })
  await make("searches", { name: "hello", collection: "articles", shared: true })
  await make("diaries", { entry: "hello" })
  for (const n of [1, 2]) {
    await make("parcels", { label: "hello" })
    await make("wishes", { label: `hello ${person.id} ${n}` })
    await make("orderEvents", { order: "hello" })
    await make("suggestions", { text: "hello" })
    await make("vaults", { name: "hello" })
  }
  ids.set("writers", [...(ids.get("writers") ?? []), person.id])
  ids.set("ticketCounts", ["hello"])
  ids.set("letters", ["a", "b"])
  await make("vaults", { name: "hello" })
  await make("tickets", { subject: "hello" })
  await make("orders", { quantity: 3 })
  await make("api-keys", { name: "hello", scopes: ["*:*"] }, "auth")
  await make("service-accounts", { name: "hello" }, "auth")
}

let strangers = 0

/** Those of before may be disabled, without a password, or locked by guesses; "victim" is whom drafts sign in as. */
async function furnishPeople(): Promise<void> {
  const fresh: Person[] = []
  for (const _ of [1, 2, 3, 4]) fresh.push(await signedIn(`fresh-${++strangers}`))
  const known = fresh.map(({ id }) => id)
  ids.set("users", known)
  ids.set("members", [...askers.flatMap(({ person }) => person?.id ?? []), ...known])
  await env.DB.batch([
    env.DB.prepare("DELETE FROM sign_in_attempts"),
    env.DB.prepare(
      "UPDATE users SET disabledAt = NULL, passwordHash = (SELECT passwordHash FROM users WHERE email = ?) WHERE email = 'victim@example.test'",
    ).bind(fresh[0]?.email),
  ])
}

/** Mails that were not delivered, and addresses that get none. */
async function furnishMail(): Promise<void> {
  const mails = Array.from({ length: 20 }, () => crypto.randomUUID())
  const addresses = mails.map((id) => `${id.slice(0, 8)}@example.test`)
  ids.set("mails", mails)
  ids.set("suppressions", mails)
  const at = new Date().toISOString()
  await env.DB.batch(
    mails.flatMap((id, n) => [
      env.DB.prepare(
        "INSERT INTO mails (id, cause, template, locale, address, addressNormalised, subject, text, html, state, requestId, createdAt) VALUES (?1, ?1, 'note', 'en', ?2, ?2, 'Hello', 'Hello', '', 'failed', '', ?3)",
      ).bind(id, addresses[n], at),
      env.DB.prepare(
        "INSERT INTO mail_suppressions (id, address, list, reason, createdAt) VALUES (?1, ?2, '', 'bounce', ?3)",
      ).bind(id, addresses[n], at),
    ]),
  )
}

/** Empty ones, which each of the people owns, with a member to remove and an invitation to take back. */
async function furnishOrganisations(): Promise<void> {
  const owners = askers.flatMap(({ person }) => person?.id ?? [])
  const other = ids.get("users")?.[0] as string
  const at = new Date().toISOString()
  const until = new Date(Date.now() + 86_400_000).toISOString()
  const made = Array.from({ length: 3 }, () => crypto.randomUUID())
  ids.set("organisations", [...made, ...(ids.get("organisations") ?? [])].slice(0, 6))
  const statements = made.flatMap((id, n) => [
    env.DB.prepare(
      "INSERT INTO organisations (id, name, database, createdAt) VALUES (?, 'hello', 'main', ?)",
    ).bind(id, at),
    // The first can be deleted, for it has one member.
    ...(n === 0 ? owners.slice(0, 1) : [...owners, other]).map((user) =>
      env.DB.prepare("INSERT INTO organisation_members VALUES (?, ?, ?, ?)").bind(
        id,
        user,
        user === other ? '["member"]' : '["owner"]',
        at,
      ),
    ),
    ...Array.from({ length: 3 }, () => {
      const invitation = crypto.randomUUID()
      ids.set("invitations", [invitation, ...(ids.get("invitations") ?? [])].slice(0, 9))
      return env.DB.prepare(
        "INSERT INTO invitations (id, organisation, email, emailNormalised, roles, hash, invitedBy, createdAt, expiresAt) VALUES (?1, ?2, ?1 || '@example.test', ?1 || '@example.test', '[\"member\"]', ?1, ?3, ?4, ?5)",
      ).bind(invitation, id, owners[0], at, until)
    }),
  ])
  await env.DB.batch(statements)
}

/** To the deployment. After those of organisations, which are named alike. */
async function furnishInvitations(): Promise<void> {
  const at = new Date().toISOString()
  const until = new Date(Date.now() + 86_400_000).toISOString()
  const made = Array.from({ length: 5 }, () => crypto.randomUUID())
  ids.set("invitations", [...made, ...(ids.get("invitations") ?? [])])
  await env.DB.batch(
    made.map((id) =>
      env.DB.prepare(
        "INSERT INTO user_invitations (id, email, emailNormalised, roles, hash, invitedBy, createdAt, expiresAt) VALUES (?1, ?1 || '@example.test', ?1 || '@example.test', '[]', ?1, ?1, ?2, ?3)",
      ).bind(id, at, until),
    ),
  )
}

/** Passkeys that nobody holds, a few for each asker. */
async function furnishPasskeys(): Promise<void> {
  const owners = askers.flatMap(({ person }) => person?.id ?? [])
  const made = owners.flatMap((user) =>
    Array.from({ length: 4 }, () => ({ user, id: crypto.randomUUID() })),
  )
  await env.DB.batch(
    made.map(({ id, user }) =>
      env.DB.prepare(
        "INSERT INTO passkeys (id, user, publicKey, counter, transports, backedUp, name, createdAt) VALUES (?, ?, '', 0, '[]', 0, 'Laptop', ?)",
      ).bind(id, user, new Date().toISOString()),
    ),
  )
  ids.set(
    "passkeys",
    made.map(({ id }) => id),
  )
}

/** Some that are over, for each asker in each of its organisations: whichever its session acts for. */
async function furnishOperations(): Promise<void> {
  const owners = askers.flatMap(({ person }) => person?.id ?? [])
  const { results } = await env.DB.prepare(
    "SELECT user AS owner, organisation FROM organisation_members UNION SELECT value, NULL FROM json_each(?)",
  )
    .bind(JSON.stringify(owners))
    .all<{ owner: string; organisation: string | null }>()
  const made = results.map((one) => ({ ...one, id: crypto.randomUUID() }))
  const at = new Date().toISOString()
  await env.DB.batch(
    made.map(({ id, owner, organisation }) =>
      env.DB.prepare(
        "INSERT INTO bulk_operations (id, kind, collection, owner, organisation, actor, request, state, total, place, rows, created, updated, unchanged, deleted, refused, createdAt, finishedAt) VALUES (?1, 'import', 'tags', ?2, ?3, '{}', '{\"dryRun\":false}', 'succeeded', 1, '1', 1, 1, 0, 0, 0, 0, ?4, ?4)",
      ).bind(id, owner, organisation, at),
    ),
  )
  ids.set(
    "bulk-operations",
    made.map(({ id }) => id),
  )
}

/** Jobs that wait for long, and some that have ended. */
async function furnishJobs(): Promise<void> {
  const at = new Date().toISOString()
  const made = ["waiting", "dead", "cancelled", "succeeded"].flatMap((state) =>
    Array.from({ length: 15 }, () => ({ id: crypto.randomUUID(), state })),
  )
  await env.DB.batch(
    made.map(({ id, state }) =>
      env.DB.prepare(
        "INSERT INTO jobs (id, name, version, payload, priority, state, runAt, requestId, createdAt, finishedAt) VALUES (?1, 'chore', 1, '{\"label\":\"x\"}', 1, ?2, '2199-01-01T00:00:00.000Z', 'test', ?3, ?4)",
      ).bind(id, state, at, state === "waiting" ? null : at),
    ),
  )
  ids.set(
    "jobs",
    made.map(({ id }) => id),
  )
  ids.set("schedules", ["chores.yearly", "jobs.sweep"])
}

const names = ["anonymous", "person", "editor", "administrator", "member"]

for (const name of names) {
  test(`whatever ${name} sends is answered as documented, or refused and not written (seed ${seed})`, async () => {
    const asker = askers.find((one) => one.name === name) as Asker
    const found: string[] = []
    for (const [i, located] of operations.entries()) {
      const { operationId } = located.operation
      // What only administrators make is made once, and is asked about until the end.
      if (operationId === "deleteOwnRecords" && name === "administrator") continue
      const drafts = fc.sample(requestsFor(...described(asker, located)), {
        numRuns: slow.has(operationId) ? Math.ceil(runs / 4) : runs,
        seed: seed + i + 1_000 * askers.indexOf(asker),
      })
      for (const draft of drafts) found.push(...(await send(asker, located, draft)))
    }
    expect(found.length, `${found.length} in all:\n\n${found.slice(0, 30).join("\n\n")}`).toBe(0)
  })
}

/** As this asker's own document describes it, or, where it does not, as the administrator's does. */
function described({ document }: Asker, located: Located): [OpenApi, Located] {
  const operation = document.paths[located.path]?.[located.method]
  if (operation) return [document, { ...located, operation }]
  return [(askers.find(({ name }) => name === "administrator") as Asker).document, located]
}

/**
 * One works once, with a code that this deployment does not have; tokens, signatures and one-time codes come out of no
 * generator, and without a code nobody has a second factor that recovery codes could stand in for. Nor are there anonymous
 * sessions, which are off unless told, nor an identity provider. A saved view and exposure name a collection that there is.
 * Nobody here can sign for a source, so there is no event from outside; and an endpoint of webhooks names a public host and
 * events that there are, so none is made, and there is none to ask about.
 */
const beyondChance = [
  "acceptInvitation",
  "acceptUserInvitation",
  "addPasskey",
  "beginLinking",
  "beginProviderSignIn",
  "completePostedProviderSignIn",
  "completeProviderSignIn",
  "completeDirectUpload",
  "confirmAuthenticator",
  "confirmEmailChange",
  "confirmEmailVerification",
  "confirmPasswordReset",
  "createDirectUpload",
  "createFirstAdministrator",
  "createSearch",
  "createWebhookEndpoint",
  "deleteWebhookEndpoint",
  "getInboundEvent",
  "getUnsubscription",
  "getWebhookDelivery",
  "getWebhookEndpoint",
  "linkIdentity",
  "listWebhookDeliveries",
  "measureExposure",
  "receiveEvent",
  "receiveResendEvent",
  "refresh",
  "replaceRecoveryCodes",
  "replaceSearch",
  "replayInboundEvent",
  "replayWebhookDelivery",
  "replayWebhookEvents",
  "rotateWebhookSecret",
  "takeCredentials",
  "testWebhookEndpoint",
  "undoEmailChange",
  "unlinkIdentity",
  "unsubscribe",
  "updateWebhookEndpoint",
]

test("each operation succeeds for somebody who asks as the document says", async () => {
  const found: string[] = []
  // One takes all records away that the others are to be asked about.
  const isLast = ({ operation }: Located) => operation.operationId === "deleteOwnRecords"
  const ordered = operations.toSorted((a, b) => Number(isLast(a)) - Number(isLast(b)))
  const unanswered = () =>
    ordered.filter(
      ({ operation: { operationId } }) =>
        !succeeded.has(operationId) && !beyondChance.includes(operationId),
    )
  // What ran before may have ended every session and deleted every record: each round finds everything there again, so that
  // an operation fails only if nothing that its description allows is ever answered.
  for (let round = 0; round < 8 && (round === 0 || unanswered().length > 0); round++) {
    await furnishAll()
    for (const located of round === 0 ? ordered : unanswered()) {
      for (const asker of askers) {
        const drafts = soundRequestsFor(...described(asker, located))
        for (const draft of fc.sample(drafts, { numRuns: 30, seed: seed + round })) {
          if (succeeded.has(located.operation.operationId)) break
          found.push(...(await send(asker, located, draft)))
        }
      }
    }
  }
  expect(found).toEqual([])
  expect(unanswered().map(({ operation }) => operation.operationId)).toEqual([])
}, 480_000)

async function furnishAll(): Promise<void> {
  for (const asker of askers) {
    if (!asker.person) continue
    asker.person = await wake(asker)
    await furnish(asker.person)
  }
  await furnishOperations()
  await furnishMail()
  // Organisations have the first of them as a member.
  await furnishPeople()
  await furnishOrganisations()
  await furnishInvitations()
  await furnishPasskeys()
  before = null
}

test("after all of it, log, search, rollups and references agree with the records", async () => {
  expect(await inconsistencies()).toEqual([])
})

let before: Record<string, unknown> | null = null

/** Sends a draft, and tells what is wrong with the answer. */
async function send(asker: Asker, located: Located, draft: Draft): Promise<string[]> {
  const me = asker.person ? [asker.person.id] : []
  ids.set("me", me)
  // One's own mostly, which a record may hold, and one of somebody else, which it may not.
  const own = me.flatMap((id) => filesOf.get(id) ?? [])
  const others = [...filesOf.values()].flat().filter((id) => !own.includes(id))
  ids.set("files", [...own, ...others.slice(-1)])
  const request = requestOf(asker, draft)
  if (!request) return []
  before ??= await contents()
  sent++
  const response = await exports.default.fetch(request)
  // Not `text()`, which warns of every type that does not begin with "text".
  const text = new TextDecoder().decode(await response.arrayBuffer())
  statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
  const filled: Draft = { ...draft, path: fill(draft.path), body: draft.body && fill(draft.body) }
  if (
    response.ok &&
    draft.method === located.method.toUpperCase() &&
    isSamePath(located.path, draft.path)
  ) {
    succeeded.add(located.operation.operationId)
  }
  const wrong =
    response.status < 400
      ? successComplaints(asker.document, located, filled, response, text)
      : problemComplaints(located, filled, response, text)
  if (response.status >= 400 || draft.method === "HEAD" || draft.method === "OPTIONS") {
    const after = await contents()
    for (const [table, count] of Object.entries(after)) {
      if (count !== before[table]) wrong.push(`left ${before[table]} -> ${count} in ${table}`)
    }
    before = after
  } else if (draft.method !== "GET" || located.operation.operationId === "exportMe") {
    before = null
    remember(located, draft, response, text)
  } else {
    const next = /^<(.*)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1]
    if (next) ids.set("cursor", [...(ids.get("cursor") ?? []), cursorOf(next)].slice(-40))
    if (next && followed++ < maxFollowed)
      wrong.push(...(await send(asker, located, { ...draft, path: next })))
  }
  await stayAwake(asker, text)
  return wrong.map((complaint) => tell(asker, located, request, draft, response, text, complaint))
}

const cursorOf = (address: string): string => /[?&]cursor=([^&]*)/.exec(address)?.[1] ?? ""

function requestOf({ person }: Asker, draft: Draft): Request | null {
  try {
    const body =
      draft.body === null
        ? null
        : draft.body === oversized
          ? `{"a":"${"x".repeat(1_100_000)}"}`
          : fill(draft.body)
    return new Request(`http://127.0.0.1${fill(draft.path)}`, {
      method: draft.method,
      headers: {
        ...(person && credentials(person, draft)),
        // Between two workers of one process nobody adds it.
        ...(body !== null && { "content-length": String(new TextEncoder().encode(body).length) }),
        // Failed sign-ins are counted by address.
        "cf-connecting-ip": `10.0.${(sent >> 8) & 255}.${sent & 255}`,
        ...draft.headers,
      },
      body,
    })
  } catch {
    // Not every draft is HTTP.
    return null
  }
}

/** By cookie now and then, as a page of the deployment itself would; unless the draft brings cookies of its own. */
const credentials = ({ token }: Person, draft: Draft): Record<string, string> =>
  sent % 4 === 0 && draft.headers.cookie === undefined
    ? { cookie: `__Host-access=${token}`, origin: "http://127.0.0.1" }
    : { authorization: `Bearer ${token}` }

/** Puts ids in place of `<articles:7>`. */
const fill = (text: string): string =>
  text.replace(/<([\w-]+):(\d+)>/g, (_, collection: string, n: string) => {
    const known = ids.get(collection) ?? []
    return known[Number(n) % known.length] ?? "019aa2c5-7d00-7000-8000-000000000001"
  })

/** Keeps the pool of ids true: what was made can be named, what was deleted cannot. */
function remember({ path }: Located, draft: Draft, response: Response, text: string): void {
  const collection =
    /^\/(?:records|auth(?=\/(?:api-keys|authenticators|service-accounts)))\/([\w-]+)/.exec(
      path,
    )?.[1]
  if (!collection) return
  const known = ids.get(collection) ?? []
  if (response.status === 201 && known.length < 40) {
    // An authenticator takes the place of the one that its person began before.
    const kept = collection === "authenticators" ? known.slice(-4) : known
    ids.set(collection, [...kept, (JSON.parse(text) as { id: string }).id])
  }
  if (response.status === 204) {
    const gone = fill(draft.path).split("/").at(-1)
    ids.set(
      collection,
      known.filter((id) => id !== gone),
    )
  }
}

/** A run may end the very session that it speaks with. */
async function stayAwake(asker: Asker, text: string): Promise<void> {
  if (!asker.person || !text.includes('"code":"token_outdated"')) return
  asker.person = await wake(asker)
  before = null
}

let successors = 0

/** Signed in again; or somebody like them, where the account was deleted, disabled, or has got another password. */
async function wake({ name, person }: Asker): Promise<Person> {
  try {
    return await signIn((person as Person).email)
  } catch {
    const successor = `${name}-${++successors}`
    const roles = name === "editor" || name === "administrator" ? [name] : []
    return name === "member" ? memberOfAnOrganisation(successor) : signedIn(successor, roles)
  }
}

const tell = (
  asker: Asker,
  { operation }: Located,
  request: Request,
  draft: Draft,
  response: Response,
  text: string,
  complaint: string,
): string =>
  [
    `${operation.operationId} as ${asker.name}: ${complaint}`,
    `  ${request.method} ${short(request.url)}`,
    `  ${short(JSON.stringify(draft.headers))}`,
    `  ${short(draft.body === null ? "" : fill(draft.body))}`,
    `  ${response.status} ${text.slice(0, 500)}`,
  ].join("\n")

const short = (text: string): string =>
  text.length > 600 ? `${text.slice(0, 600)}… (${text.length})` : text
