import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test } from "vitest"
import { call, type Person, signedIn } from "../../support/people.ts"
import { create, type Json, nowhere, patch, query } from "./cast.ts"
import { choicesFrom, randomSeed } from "./randomness.ts"

/*
 * Nothing of the past betrays what its reader may not see. Histories of records, versions of which are hidden, with fields
 * that are hidden in some, are rewritten in all that one viewer may not see, and in nothing else; whatever is asked of the
 * past, no answer may differ in a single byte.
 */

let alice: Person
let bob: Person
let editor: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("editor", ["editor"])
})

const words = ["apple", "zebra", "mango", "quince"]

interface Line {
  seq: number
  record: string
  version: number
  kind: string
  payload: string
}

interface Viewer {
  person: () => Person | null
  /** Whether the viewer sees an article as it is in the line. */
  sees: (article: Json) => boolean
  /** Fields that the viewer does not see in an article. */
  hidden: (article: Json) => string[]
}

const viewers: Record<string, Viewer> = {
  anonymous: {
    person: () => null,
    sees: (it) => it.status === "published",
    hidden: () => ["secret", "note"],
  },
  stranger: {
    person: () => bob,
    sees: (it) => it.status === "published" || it.author === bob.id,
    hidden: (it) => ["secret", ...(it.author === bob.id ? [] : ["note"])],
  },
  editor: {
    person: () => editor,
    sees: (it) => it.status === "published" || it.author === editor.id,
    hidden: (it) => (it.author === editor.id ? [] : ["note"]),
  },
}

/** Records with versions of every sort: drafts among published ones, handed on to others, deleted, brought back. */
async function makePast(choices: ReturnType<typeof choicesFrom>): Promise<string[]> {
  const made: string[] = []
  for (let n = 0; n < 10; n++) {
    const owner = n % 2 ? alice : bob
    const other = n % 2 ? bob : alice
    const { id } = await create(owner, "articles", {
      title: choices.pick(words),
      note: "private",
      status: choices.chance(60) ? "published" : "draft",
    })
    made.push(id)
    for (let step = 0; step < 5; step++) {
      const change: Json = choices.pick([
        { title: choices.pick(words) },
        { status: "draft" },
        { status: "published" },
        { note: choices.pick(words) },
        { words: choices.below(9) },
      ])
      await call(owner, "PATCH", `/records/articles/${id}`, change)
      if (choices.chance(40)) {
        await call(editor, "PATCH", `/records/articles/${id}`, { secret: choices.pick(words) })
      }
    }
    if (n === 3) await call(editor, "PATCH", `/records/articles/${id}`, { author: other.id })
    if (n % 4 === 2) await call(owner, "DELETE", `/records/articles/${id}`)
    if (n === 6) {
      await call(owner, "POST", `/records/articles/${id}/restorations`, { version: 1 })
    }
    // However the rest was drawn, there is something that everybody sees.
    if (n > 7) await call(owner, "PATCH", `/records/articles/${id}`, { status: "published" })
  }
  return made
}

/** Changes all of the past (and of the present) that the viewer may not see. */
async function changeHidden(
  viewer: Viewer,
  made: readonly string[],
  choices: ReturnType<typeof choicesFrom>,
): Promise<void> {
  const lines = (await query(
    "SELECT seq, record, version, kind, payload FROM changes WHERE subject = 'articles' ORDER BY seq",
  )) as unknown as Line[]
  const rows = new Map(
    (await query("SELECT id, status, author FROM articles")).map((row) => [row.id, row]),
  )
  const statements: D1PreparedStatement[] = []
  for (const line of lines.filter(({ record }) => made.includes(record))) {
    const image = JSON.parse(line.payload) as Json
    const now = rows.get(line.record)
    // Of what is gone only who could have deleted it knows the past: its author.
    const past =
      viewer.sees(image) && (now ? viewer.sees(now) : image.author === viewer.person()?.id)
    const fields = past
      ? new Set([...viewer.hidden(image), ...(now ? viewer.hidden(now) : [])])
      : new Set(["title", "note", "secret", "words", "score", "meta"])
    for (const name of fields)
      image[name] = name === "words" ? choices.below(99) : choices.pick(words)
    if (fields.has("meta")) image.meta = '{"a":1}'
    if (fields.has("score")) image.score = choices.below(9) / 2
    statements.push(
      env.DB.prepare("UPDATE changes SET payload = ? WHERE seq = ?").bind(
        JSON.stringify(image),
        line.seq,
      ),
    )
  }
  for (const [id, row] of rows) {
    if (!made.includes(id as string)) continue
    const hidden = viewer.sees(row) ? viewer.hidden(row) : ["title", "note", "secret"]
    for (const name of hidden) {
      statements.push(
        env.DB.prepare(`UPDATE articles SET "${name}" = ? WHERE id = ?`).bind(
          choices.pick(words),
          id as string,
        ),
      )
    }
  }
  // And what nobody sees of it at all.
  statements.push(
    env.DB.prepare(
      "INSERT INTO changes (id, at, actor, subject, record, version, kind, authority, requestId, salt, payload) VALUES ('x', '2026-01-01T00:00:00.000Z', NULL, 'vaults', ?, 1, 'created', 'rule', 'x', '', '{}')",
    ).bind(crypto.randomUUID()),
  )
  await env.DB.batch(statements)
}

const requestsAbout = (made: readonly string[], moments: readonly string[]): string[] => [
  ...made.flatMap((id) => [
    `/records/articles/${id}/history`,
    `/records/articles/${id}/history?limit=2`,
    `/records/articles/${id}/history?limit=3&cursor=4`,
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((version) => `/records/articles/${id}/history/${version}`),
    ...moments.map((at) => `/records/articles/${id}?asOf=${at}`),
  ]),
  "/records/articles/bin",
  "/records/articles/bin?limit=1",
  "/changes?limit=200",
  "/changes?limit=3",
  "/changes?collection=articles&limit=100",
  "/changes?before=now&limit=200&differences=true",
  "/changes?before=now&limit=3&kind=updated",
]

/** Everything of an answer that a client sees, but what is another each time. */
async function fingerprint(as: Person | null, path: string): Promise<string> {
  const answer = await call(as, "GET", path)
  const text = (await answer.text())
    .replace(/"requestId":"[^"]*"/g, "")
    .replace(/"next":"[\w-]{48}"/, '"next":"…"')
  const link = answer.headers.get("link")?.replace(/cursor=[\w-]{48}/, "cursor=…")
  return JSON.stringify([answer.status, link, text])
}

describe.each(Object.keys(viewers))("to the %s", (name) => {
  const seed = randomSeed()

  test(`no question about the past tells what is hidden (seed ${seed})`, async () => {
    const viewer = viewers[name] as Viewer
    const choices = choicesFrom(seed)
    const made = await makePast(choices)
    const times = await query(
      "SELECT at FROM changes WHERE record = ? OR record = ?",
      made.slice(0, 2),
    )
    const moments = times.slice(0, 6).map(({ at }) => at as string)
    const requests = requestsAbout(made, moments)
    const ask = async () => {
      const answers: string[] = []
      for (const path of requests) answers.push(await fingerprint(viewer.person(), path))
      return answers
    }
    await changeHidden(viewer, made, choices)
    const before = await ask()
    await changeHidden(viewer, made, choices)
    const after = await ask()
    const told = requests.flatMap((path, i) =>
      before[i] === after[i] ? [] : [`${path}\n${before[i]}\n${after[i]}`],
    )
    expect(told.slice(0, 3), `${told.length} of ${requests.length}`).toEqual([])
    const answered = before.filter((answer) => answer.startsWith("[200")).length
    // The histories of what is published, in two sizes, and the lists that there always are.
    expect(answered).toBeGreaterThanOrEqual(9)
    expect(before.filter((answer) => answer.startsWith("[5"))).toEqual([])
  })
})

test("no restoration of what is hidden is answered otherwise than one of nothing", async () => {
  const { id } = await create(alice, "articles", { title: "Draft", secret: undefined })
  await patch(alice, "articles", id, { status: "published" })
  await patch(alice, "articles", id, { status: "draft" })
  const gone = await create(alice, "articles", { title: "Gone", status: "published" })
  await call(alice, "DELETE", `/records/articles/${gone.id}`)
  const seen = await create(alice, "articles", { title: "Hidden first" })
  await patch(alice, "articles", seen.id, { status: "published" })
  for (const person of [bob, editor]) {
    const answers = await Promise.all(
      [
        [nowhere, 1],
        [id, 1],
        [id, 2],
        [gone.id, 1],
        [gone.id, 2],
        [seen.id, 1],
        [seen.id, 99],
      ].map(async ([record, version]) => {
        const answer = await call(person, "POST", `/records/articles/${record}/restorations`, {
          version,
        })
        return `${answer.status} ${(await answer.text()).replace(/"requestId":"[^"]*"/, "")}`
      }),
    )
    expect(new Set(answers).size, answers.join("\n")).toBe(1)
    expect(answers[0]).toMatch(/^404/)
  }
})
