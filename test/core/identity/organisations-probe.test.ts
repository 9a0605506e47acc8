import { env } from "cloudflare:workers"
import fc from "fast-check"
import { beforeAll, expect, test, vi } from "vitest"
import { call } from "../../support/people.ts"
import { join, type Member, path, person, query, read, switchTo } from "./organisation-cast.ts"

/*
 * No row of another organisation, ever: thousands of generated requests of every persona, by every path, about every
 * organisation, two of them in each database. What belongs to an organisation carries its mark, which must not appear in
 * what outsiders are answered.
 */

const { env: settings = {} } = import.meta as { env?: Readonly<Record<string, string>> }
/** Set VITE_SEED to replay a run, VITE_PROBES to look harder. */
const seed = Number(settings.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))
const probes = Number(settings.VITE_PROBES ?? 3_000)

interface Club {
  readonly id: string
  readonly mark: string
  readonly database: string
  /** Of its tickets. */
  readonly tickets: string[]
  /** Of its people. */
  readonly people: string[]
}

const clubs: Club[] = [
  { id: crypto.randomUUID(), mark: "markalpha", database: "main", tickets: [], people: [] },
  { id: crypto.randomUUID(), mark: "markbravo", database: "main", tickets: [], people: [] },
  { id: crypto.randomUUID(), mark: "markcharlie", database: "second", tickets: [], people: [] },
  { id: crypto.randomUUID(), mark: "markdelta", database: "second", tickets: [], people: [] },
]

interface Persona {
  readonly name: string
  readonly as: Member | null
  /** That their token speaks for. */
  readonly active: Club | null
  readonly clubs: readonly Club[]
  /** Passes the rules of `/auth/organisations`, but no boundary of records. */
  readonly administrator: boolean
}

const personas: Persona[] = []

beforeAll(async () => {
  vi.spyOn(console, "info").mockImplementation(() => {})
  for (const club of clubs) {
    await query("INSERT INTO organisations (id, name, database, createdAt) VALUES (?, ?, ?, '')", [
      club.id,
      club.mark,
      club.database,
    ])
    for (const role of ["owner", "admin", "guest"]) {
      const as = await person(`${club.mark}-${role}`)
      await join(as, club.id, role)
      await switchTo(as, club.id)
      club.people.push(as.id)
      personas.push({
        name: `${role} of ${club.mark}`,
        as,
        active: club,
        clubs: [club],
        administrator: false,
      })
    }
  }
  personas.push({ name: "anonymous", as: null, active: null, clubs: [], administrator: false })
  await addPersona("nobody", [])
  await addPersona("near", [0, 1])
  await addPersona("far", [2, 3])
  await addPersona("across", [0, 2])
  await addPersona("administrator-in", [0], true)
  await addPersona("administrator-out", [], true)
  for (const { as, active } of personas) if (as && active) await furnish(as, active)
})

/** A person of several organisations is a persona for each of them, and one for none. */
async function addPersona(name: string, joined: number[], administrator = false): Promise<void> {
  const theirs = joined.map((i) => clubs[i] as Club)
  const as = await person(name, administrator ? ["administrator"] : [])
  for (const club of theirs) await join(as, club.id, "member")
  for (const active of [...theirs, null]) {
    const there = { ...as }
    if (joined.length > 0) await switchTo(there, active?.id ?? null)
    personas.push({
      name: `${name} in ${active?.mark}`,
      as: there,
      active,
      clubs: theirs,
      administrator,
    })
  }
}

async function furnish(as: Member, { mark, tickets }: Club): Promise<void> {
  const parent = tickets[0] ?? null
  const body = { subject: `${mark} common`, parent, watchers: [as.id] }
  const { id } = await read<{ id: string }>(call(as, "POST", "/records/tickets", body), 201)
  tickets.push(id)
  await call(as, "POST", "/records/articles", { title: "common", status: "published" })
}

interface Probe {
  readonly persona: Persona
  readonly method: string
  readonly address: string
  readonly body?: object
  /** The organisation it is about; none for lists. */
  readonly about: Club | null
  /** Whether relation ids are shown as stored, so that only names and records betray something. */
  readonly idsAreShown?: boolean
}

const oneOf = <Value>(values: readonly Value[]) =>
  fc.nat(10_000).map((n) => values[n % values.length] as Value)

const conditions = (club: Club) => [
  "number = null",
  'subject ~ "common"',
  `subject ~ "${club.mark}" || number > 0`,
  `subject = "${club.mark} common"`,
  `id = "${club.tickets[0]}"`,
  `id in ("${club.tickets.join('", "')}")`,
  `parent.subject ~ "${club.mark}"`,
  `parent = "${club.tickets[0]}"`,
  `any(children, subject ~ "${club.mark}")`,
  "count(children) >= 0",
  "none(children, number > 1)",
  `any(watchers, name ~ "${club.mark}") || any(watchers, id != null)`,
  `has(watchers, "${club.people[0]}")`,
  "parent.parent.childCount >= 0 || childCount >= 0",
]

const sorts = ["id", "-createdAt", "subject", "-subject,number", "-childCount"]
const expansions = [
  "parent",
  "children",
  "watchers",
  "parent,children,watchers",
  "children.watchers",
]

const list = (collection: string, parameters: Record<string, string | null>) => {
  const given = Object.entries(parameters).filter(([, value]) => value !== null) as [
    string,
    string,
  ][]
  return `/records/${collection}?${new URLSearchParams(given)}`
}

const optional = <Value>(values: readonly Value[]) => fc.option(oneOf(values), { nil: null })

/** What is asked about one organisation, by one persona. */
const probeOf = (persona: Persona, club: Club): fc.Arbitrary<Probe> => {
  const about = { persona, about: club }
  const inside = persona.clubs.includes(club)
  const ticket = oneOf(club.tickets).map((id) => `/records/tickets/${id}`)
  const member = oneOf(club.people)
  const lists = fc
    .record({
      filter: optional(conditions(club)),
      sort: optional(sorts),
      expand: optional(expansions),
      search: optional(["common", club.mark, "mark", "com"]),
      count: optional(["exact"]),
      limit: optional(["1", "3", "200"]),
      fields: optional(["subject", "id,parent.subject", "watchers,subject"]),
    })
    .map(
      (parameters): Probe => ({
        persona,
        about: null,
        method: "GET",
        address: list("tickets", parameters),
      }),
    )
  const people = fc
    .record({
      filter: optional([
        `name ~ "${club.mark}"`,
        `id = "${club.people[0]}"`,
        'name ~ "mark"',
        "name != null",
      ]),
      sort: optional(["name", "-name", "id"]),
      limit: optional(["2", "200"]),
      count: optional(["exact"]),
    })
    .map(
      (parameters): Probe => ({
        persona,
        about: null,
        method: "GET",
        address: list("members", parameters),
      }),
    )
  const articles = fc
    .record({
      filter: optional([`author.name ~ "${club.mark}"`, 'title = "common"']),
      expand: optional(["author"]),
    })
    .map(
      (parameters): Probe => ({
        persona,
        about: null,
        method: "GET",
        address: list("articles", parameters),
        idsAreShown: true,
      }),
    )
  const single = fc.tuple(ticket, optional(expansions)).map(
    ([address, expand]): Probe => ({
      ...about,
      method: "GET",
      address: expand ? `${address}?expand=${expand}` : address,
    }),
  )
  const one = member.map(
    (id): Probe => ({ ...about, method: "GET", address: `/records/members/${id}` }),
  )
  const writes = fc
    .tuple(ticket, oneOf(["PATCH", "PUT", "DELETE"]))
    .map(([address, method]): Probe => {
      // A PUT from elsewhere meets nothing but its own rights: there the id is as good as new.
      const isNew = method === "PUT" && persona.active?.database !== club.database
      return {
        ...about,
        method: isNew || (inside && method === "DELETE") ? "PATCH" : method,
        address,
        ...(method !== "DELETE" || inside
          ? { body: { subject: `${persona.active?.mark} common` } }
          : {}),
      }
    })
  const pointing = fc.tuple(oneOf(club.tickets), member, fc.boolean()).map(
    ([parent, watcher, both]): Probe => ({
      ...about,
      method: "POST",
      address: "/records/tickets",
      body: {
        subject: `${persona.active?.mark} common`,
        parent,
        ...(both && { watchers: [watcher] }),
      },
    }),
  )
  const reads = oneOf(["", "/members", "/members?limit=1", "/invitations"]).map(
    (rest): Probe => ({ ...about, method: "GET", address: path(club.id, rest) }),
  )
  const switches = fc.constant<Probe>({
    ...about,
    method: "PUT",
    address: "/auth/sessions/current/organisation",
    body: { organisation: club.id },
  })
  const changes = fc.tuple(member, fc.nat(5)).map(([user, n]): Probe => {
    const asked: [string, string, object?][] = [
      ["PATCH", "", { name: "taken over" }],
      ["DELETE", ""],
      ["PATCH", `/members/${user}`, { roles: ["guest"] }],
      ["DELETE", `/members/${user}`],
      ["POST", "/invitations", { email: "x@example.test", roles: ["owner"] }],
      ["POST", "/ownership-transfers", { user }],
    ]
    const [method, rest, body] = asked[n] as (typeof asked)[number]
    return { ...about, method, address: path(club.id, rest), ...(body && { body }) }
  })
  return fc.oneof(
    { weight: 6, arbitrary: lists },
    { weight: 2, arbitrary: people },
    { weight: 1, arbitrary: articles },
    { weight: 4, arbitrary: single },
    { weight: 1, arbitrary: one },
    { weight: 3, arbitrary: writes },
    { weight: 1, arbitrary: pointing },
    { weight: 2, arbitrary: reads },
    { weight: 1, arbitrary: switches },
    // Members may do some of it, and would no longer be the personas that they are.
    { weight: inside || persona.administrator ? 0 : 2, arbitrary: changes },
  )
}

/** What is wrong with an answer; null when nothing is. */
async function complaint(probe: Probe): Promise<string | null> {
  const { persona, method, address, body, about } = probe
  const answer = await call(persona.as, method, address, body)
  const text = await answer.text()
  outcomes.set(answer.status, (outcomes.get(answer.status) ?? 0) + 1)
  const tell = (what: string) =>
    `${persona.name}: ${method} ${address} ${JSON.stringify(body ?? null)} -> ${answer.status} ${what}\n${text.slice(0, 300)}`
  if (answer.status >= 500) return tell("failed")
  if (answer.status >= 400) return null
  const isRecord = address.startsWith("/records/")
  const seen = isRecord ? [persona.active] : persona.administrator ? clubs : persona.clubs
  if (about && !seen.includes(about) && !isOneself(probe)) return tell("succeeded")
  for (const other of clubs) {
    if (seen.includes(other)) continue
    if (text.includes(other.mark)) return tell(`shows ${other.mark}`)
    const ids = [...other.tickets, ...(probe.idsAreShown ? [] : other.people)]
    const shown = ids.find((id) => id !== persona.as?.id && text.includes(id))
    if (shown) return tell(`shows the id ${shown} of ${other.mark}`)
  }
  return null
}

/** Everybody sees themselves, whatever they act in. */
const isOneself = ({ persona, address }: Probe): boolean =>
  persona.as !== null && address === `/records/members/${persona.as.id}`

const outcomes = new Map<number, number>()
const parallel = 10

test(
  `of ${probes} requests none shows, takes or changes what belongs to another organisation (seed ${seed})`,
  async () => {
    const wanted = fc
      .tuple(oneOf(personas), oneOf(clubs))
      .chain(([persona, club]) => probeOf(persona, club))
    const before = await organisationRows()
    const found: string[] = []
    for (let start = 0; start < probes; start += 1_000) {
      const drawn = fc.sample(wanted, {
        numRuns: Math.min(1_000, probes - start),
        seed: seed + start,
      })
      for (let i = 0; i < drawn.length; i += parallel) {
        const complaints = await Promise.all(drawn.slice(i, i + parallel).map(complaint))
        found.push(...complaints.filter((one) => one !== null))
      }
    }
    const told = [...outcomes].sort(([a], [b]) => a - b).map(([status, n]) => `${n} × ${status}`)
    console.log(`probe: ${probes} requests (VITE_SEED=${seed}): ${told.join(", ")}`)
    expect(found.length, found.slice(0, 10).join("\n\n")).toBe(0)
    // Enough of them saw what is their own, so that silence means something.
    expect(outcomes.get(200)).toBeGreaterThan(probes / 10)
    expect(await organisationRows()).toEqual(before)
    for (const club of clubs) expect(await intruders(club)).toEqual([])
  },
  120_000 + probes * 40,
)

const organisationRows = async () => [
  await query("SELECT * FROM organisations ORDER BY id"),
  await query("SELECT * FROM organisation_members ORDER BY organisation, user"),
  await query("SELECT * FROM invitations"),
  await query("SELECT id, epoch, version FROM users ORDER BY id"),
]

/** Tickets of a club that somebody wrote who is no member of it, or that bear another's mark. */
const intruders = ({ id, mark, database }: Club) =>
  query(
    "SELECT id, subject, updatedBy FROM tickets WHERE organisation = ?1 AND (subject <> ?2 OR updatedBy NOT IN (SELECT member FROM member_organisations WHERE organisation = ?1))",
    [id, `${mark} common`],
    database === "main" ? env.DB : env.DB_SECOND,
  )
