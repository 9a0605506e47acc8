import { env } from "cloudflare:workers"
import type { Person } from "../../support/people.ts"
import { create, type Json, patch, query } from "./cast.ts"
import type { Choices } from "./randomness.ts"
import { vocabulary } from "./secrecy-queries.ts"

/*
 * A small world in which much is hidden from each viewer, and a way to change all that is hidden from one, and nothing
 * else: past the engine, so that no version moves that the viewer sees.
 */

export interface World {
  readonly people: { alice: Person; bob: Person; editor: Person; carol: Person }
  /** Of all records that stay, hidden or not. */
  readonly ids: readonly string[]
}

export async function makeWorld(people: World["people"]): Promise<World> {
  const { alice, bob, editor, carol } = people
  const { words, degrees } = vocabulary
  const tags: string[] = []
  for (const [i, name] of ["red", "green", "veiled", "masked"].entries()) {
    tags.push((await create(alice, "tags", { name, hidden: i > 1 })).id)
  }
  const projects = [
    await create(alice, "projects", { name: "apple" }),
    await create(alice, "projects", { name: "zebra", people: [bob.id, editor.id] }),
    await create(bob, "projects", { name: "mango", people: [alice.id] }),
    await create(carol, "projects", { name: "red" }),
  ].map(({ id }) => id)
  const articles: string[] = []
  for (let i = 0; i < 14; i++) {
    const author = i % 3 === 2 ? bob : alice
    const own = author === bob ? [projects[1], projects[2]] : [projects[0], projects[1]]
    const { id } = await create(author, "articles", {
      title: words[i % words.length] as string,
      body: words[(i * 3) % words.length] as string,
      status: i < 9 ? "published" : "draft",
      words: i % 4,
      score: i / 2,
      day: "2026-01-01",
      note: "nothing",
      project: own[i % 2] as string,
      tags: [tags[0], tags[2], tags[i % 4]].filter(
        (tag, at, all) => all.indexOf(tag) === at && tag !== tags[2] && tag !== tags[3],
      ) as string[],
    })
    articles.push(id)
    // The editor sees hidden tags, so it can attach them.
    if (i < 9)
      await patch(editor, "articles", id, { secret: "s", tags: [tags[2], tags[i % 2]] as string[] })
  }
  const comments: string[] = []
  for (let i = 0; i < 9; i++) {
    for (const [n, author] of [alice, bob, editor, carol].entries()) {
      if ((i + n) % 3 === 0) continue
      const { id } = await create(author, "comments", {
        article: articles[i] as string,
        text: words[(i + n) % words.length] as string,
        stars: 1 + ((i * n) % 5),
        weight: i / 4,
        approved: (i + n) % 2 === 0,
      })
      comments.push(id)
    }
  }
  const places: string[] = []
  for (const [i, person] of [alice, bob, editor, carol, alice, bob].entries()) {
    const [latitude = 0, longitude = 0] = [degrees[i % 5], degrees[(i * 3) % 5]]
    const near = places[i - 2]
    const { id } = await create(person, "places", {
      name: words[i] as string,
      open: i < 3,
      location: { latitude, longitude },
      den: { latitude: longitude, longitude: latitude },
      ...(near && i < 3 && { near }),
    })
    places.push(id)
  }
  for (const person of [alice, bob, editor, carol]) {
    await create(person, "diaries", { entry: "apple" })
    await create(person, "orders", { quantity: 2 })
    await create(person, "suggestions", { text: "mango" })
  }
  const ids = [
    ...tags,
    ...projects,
    ...articles,
    ...comments,
    ...places,
    ...Object.values(people).map(({ id }) => id),
  ]
  return { people, ids }
}

export async function hiddenOnes(viewer: Person | null, roles: readonly string[]) {
  const me = viewer?.id ?? ""
  const find = async (text: string, params: string[] = []) =>
    (await query(text, params))
      .map((row) => row.id as string)
      .filter((id) => !id.startsWith("ffffffff"))
  return {
    articles: await find("SELECT id FROM articles WHERE status <> 'published' AND author <> ?", [
      me,
    ]),
    tags: roles.includes("editor") ? [] : await find("SELECT id FROM tags WHERE hidden = 1"),
    projects: await find(
      "SELECT id FROM projects WHERE owner <> ?1 AND NOT EXISTS (SELECT 1 FROM projects_people WHERE source = id AND target = ?1)",
      [me],
    ),
    comments: await find("SELECT id FROM comments WHERE approved = 0 AND author <> ?", [me]),
    diaries: await find("SELECT id FROM diaries WHERE owner <> ?", [me]),
    orders: await find("SELECT id FROM orders WHERE buyer <> ?", [me]),
    places: await find("SELECT id FROM places WHERE open = 0 AND owner <> ?", [me]),
  }
}

/** Makes all that this viewer may not see anew, as the choices fall. */
export async function changeHidden(
  world: World,
  viewer: Person | null,
  roles: readonly string[],
  choices: Choices,
): Promise<void> {
  const { pick, below, chance } = choices
  const me = viewer?.id ?? ""
  const others = Object.values(world.people)
    .filter(({ id }) => id !== me)
    .map(({ id }) => id)
  const text = () => (chance(20) ? null : pick(vocabulary.words))
  const moment = () => pick(vocabulary.moments)
  const hidden = await hiddenOnes(viewer, roles)
  const projects = (await query("SELECT id FROM projects WHERE id NOT LIKE 'ffffffff%'")).map(
    ({ id }) => id as string,
  )
  const statements: [string, (string | number | null)[]][] = []
  const change = (text: string, ...params: (string | number | null)[]) =>
    statements.push([text, params])
  const set = (table: string, id: string, values: Record<string, string | number | null>) =>
    change(
      `UPDATE ${table} SET ${Object.keys(values)
        .map((name) => `"${name}" = ?`)
        .join(", ")} WHERE id = ?`,
      ...Object.values(values),
      id,
    )
  const article = () => ({
    title: pick(vocabulary.words),
    body: text(),
    author: pick(others),
    words: chance(20) ? null : pick(vocabulary.numbers),
    score: pick(vocabulary.numbers) / 2,
    featured: below(2),
    day: chance(20) ? null : pick(vocabulary.dates),
    moment: moment(),
    contact: chance(50) ? null : "a@example.test",
    meta: chance(50) ? null : '{"a":1}',
    secret: text(),
    note: text(),
    project: chance(30) ? null : pick(projects),
    version: 1 + below(5),
    createdAt: moment(),
    updatedAt: moment(),
    createdBy: pick(others),
  })
  const comment = () => ({
    text: pick(vocabulary.words),
    stars: 1 + below(5),
    weight: pick(vocabulary.numbers),
    version: 1 + below(5),
    createdAt: moment(),
  })
  // What was added for the state before.
  for (const table of ["comments", "articles", "tags", "projects"]) {
    if (table === "articles") change("DELETE FROM articles_tags WHERE source LIKE 'ffffffff%'")
    change(`DELETE FROM ${table} WHERE id LIKE 'ffffffff%'`)
  }
  for (const id of hidden.articles) set("articles", id, article())
  for (const id of hidden.tags)
    set("tags", id, {
      name: `${pick(vocabulary.words)} ${id}`,
      version: 1 + below(5),
      createdAt: moment(),
    })
  for (const id of hidden.projects) {
    set("projects", id, { name: pick(vocabulary.words), owner: pick(others), createdAt: moment() })
    change("DELETE FROM projects_people WHERE source = ?", id)
    for (const [n, other] of others.entries()) {
      if (chance(50)) change("INSERT INTO projects_people VALUES (?, ?, ?)", id, other, n)
    }
  }
  for (const id of hidden.comments) set("comments", id, comment())
  for (const id of hidden.diaries) set("diaries", id, { entry: pick(vocabulary.words) })
  for (const id of hidden.orders)
    set("orders", id, { quantity: 1 + below(5), state: pick(["open", "paid"]) })
  const place = () =>
    chance(20)
      ? null
      : JSON.stringify({
          latitude: pick(vocabulary.degrees),
          longitude: pick(vocabulary.degrees),
        })
  for (const id of hidden.places)
    set("places", id, { name: pick(vocabulary.words), location: place() })
  for (const id of await all("places", "owner <> ?", me)) set("places", id, { den: place() })
  if (!roles.includes("editor")) {
    for (const id of await all("articles")) set("articles", id, { secret: text() })
  }
  for (const id of await all("articles", "author <> ?", me)) set("articles", id, { note: text() })
  set("members", world.people.carol.id, { roles: pick(['["editor"]', "[]"]), epoch: below(9) })
  for (const id of await all("articles", "author <> ?", me)) {
    change("DELETE FROM articles_readers WHERE source = ?", id)
    for (const [n, { id: reader }] of Object.values(world.people).entries()) {
      if (chance(40)) change("INSERT INTO articles_readers VALUES (?, ?, ?)", id, reader, n)
    }
  }
  const articles = await all("articles")
  for (const id of await all("comments", "author <> ?", me)) {
    set("comments", id, { quotes: chance(30) ? null : pick(articles) })
  }
  // More of what is hidden, or less.
  const extra = (table: string, n: number, values: Json) => {
    const row = {
      id: `ffffffff-0000-4000-8000-${String(n).padStart(12, "0")}`,
      version: 1,
      createdAt: moment(),
      updatedAt: moment(),
      ...values,
    }
    const names = Object.keys(row)
    change(
      `INSERT INTO ${table} (${names.map((name) => `"${name}"`).join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
      ...(Object.values(row) as string[]),
    )
    return row.id
  }
  const published = await all("articles", "status = 'published'")
  const tags = await all("tags")
  for (let n = below(5); n > 0; n--) {
    const id = extra("articles", n, { ...article(), status: "draft" })
    change("INSERT INTO articles_tags VALUES (?, ?, 0)", id, pick(tags))
  }
  for (let n = below(4); n > 0; n--)
    extra("projects", n, { name: pick(vocabulary.words), owner: pick(others) })
  if (!roles.includes("editor")) {
    for (let n = below(4); n > 0; n--) extra("tags", n, { name: `extra ${n}`, hidden: 1 })
  }
  const taken = new Set(
    (
      await query("SELECT article || author AS pair FROM comments WHERE id NOT LIKE 'ffffffff%'")
    ).map(({ pair }) => pair),
  )
  for (let n = below(9); n > 0; n--) {
    const [on, author] = [pick(published), pick(others)]
    if (taken.has(on + author)) continue
    taken.add(on + author)
    extra("comments", n, { ...comment(), article: on, author, approved: 0 })
  }
  // Rollups count what is hidden too, by design: a sum that must not tell has a read rule of its own. Hold them still.
  change(
    "UPDATE articles SET commentCount = 2, starSum = 3, starAverage_sum = 3, starAverage_count = 2, weightSum = 1",
  )
  await env.DB.batch(statements.map(([text, params]) => env.DB.prepare(text).bind(...params)))
}

const all = async (table: string, where = "1", ...params: string[]): Promise<string[]> =>
  (await query(`SELECT id FROM ${table} WHERE ${where} AND id NOT LIKE 'ffffffff%'`, params)).map(
    ({ id }) => id as string,
  )
