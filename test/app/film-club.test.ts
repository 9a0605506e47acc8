import { env } from "cloudflare:workers"
import { beforeAll, describe, expect, test } from "vitest"
import { call, costOf, type Person, signedIn } from "../support/people.ts"

let alice: Person
let bob: Person
let editor: Person
let administrator: Person
let film: string

const body = async (response: Response) => (await response.json()) as Record<string, unknown>

beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
  editor = await signedIn("edith", ["editor"])
  administrator = await signedIn("ada", ["administrator"])
  film = await newFilm("The Third Man")
})

async function newFilm(title: string): Promise<string> {
  const made = await call(editor, "POST", "/records/films", { title, releasedOn: "1949-09-01" })
  expect(made.status).toBe(201)
  return (await body(made)).id as string
}

async function newReview(by: Person, of: string, stars = 4): Promise<string> {
  const made = await call(by, "POST", "/records/reviews", { film: of, stars })
  expect(made.status).toBe(201)
  return (await body(made)).id as string
}

describe("films", () => {
  const personas = () => ({ anonymous: null, stranger: bob, editor, administrator })

  test.each([
    ["list", "GET", (): string => "/records/films", undefined, [200, 200, 200, 200]],
    ["read", "GET", (): string => `/records/films/${film}`, undefined, [200, 200, 200, 200]],
    ["create", "POST", (): string => "/records/films", { title: "New" }, [401, 403, 201, 201]],
    [
      "change",
      "PATCH",
      (): string => `/records/films/${film}`,
      { runningMinutes: 104 },
      [401, 403, 200, 200],
    ],
    ["delete", "DELETE", (): string => `/records/films/${film}`, undefined, [401, 403, 204, 404]],
  ] as const)(
    "%s: anyone reads, editors and administrators write",
    async (_name, method, path, input, expected) => {
      const own = await newFilm("For this test")
      const target = (): string => path().replace(film, own)
      const statuses: number[] = []
      for (const persona of Object.values(personas())) {
        statuses.push((await call(persona, method, target(), input)).status)
      }
      expect(statuses).toEqual(expected)
    },
  )

  test("the page, the list and a film cost one trip or none", async () => {
    expect(costOf(await call(null, "GET", "/records/films?sort=-imdbRating&limit=20")).trips).toBe(
      1,
    )
    expect(costOf(await call(null, "GET", `/records/films/${film}`)).trips).toBe(1)
    expect(costOf(await call(null, "GET", "/")).trips).toBe(0)
  })
})

describe("reviews", () => {
  test("a person reviews a film once, in the own name", async () => {
    const of = await newFilm("Once")
    expect((await call(null, "POST", "/records/reviews", { film: of, stars: 5 })).status).toBe(401)
    const forged = await call(alice, "POST", "/records/reviews", {
      film: of,
      stars: 5,
      author: bob.id,
    })
    expect(forged.status).toBe(403)
    await newReview(alice, of)
    const twice = await call(alice, "POST", "/records/reviews", { film: of, stars: 1 })
    expect(twice.status).toBe(409)
    expect(((await body(twice)).errors as { path: string }[]).map(({ path }) => path)).toEqual([
      "film",
      "author",
    ])
  })

  test("only its author changes or deletes a review, and cannot give it away", async () => {
    const review = await newReview(alice, await newFilm("Mine"))
    const path = `/records/reviews/${review}`
    expect((await call(bob, "PATCH", path, { stars: 1 })).status).toBe(403)
    expect((await call(bob, "DELETE", path)).status).toBe(403)
    expect((await call(alice, "PATCH", path, { author: bob.id })).status).toBe(403)
    expect((await call(alice, "PATCH", path, { stars: 2 })).status).toBe(200)
    expect((await call(alice, "DELETE", path)).status).toBe(204)
  })

  test.each([0, 6, 2.5, "5", null])("%j stars are refused, naming the field", async (stars) => {
    const refused = await call(alice, "POST", "/records/reviews", { film, stars })
    expect(refused.status).toBe(400)
    expect(((await body(refused)).errors as { path: string }[])[0]?.path).toBe("stars")
  })

  test("a body of white space is stored as none", async () => {
    const made = await call(bob, "POST", "/records/reviews", {
      film: await newFilm("Blank"),
      stars: 3,
      body: " \n ",
    })
    expect((await body(made)).body).toBeNull()
  })

  test("fifty parallel reviews leave exact rollups", async () => {
    const of = await newFilm("Popular")
    const people = await Promise.all(Array.from({ length: 50 }, (_, n) => signedIn(`critic${n}`)))
    const stars = people.map((_, n) => 1 + (n % 5))
    await Promise.all(people.map((person, n) => newReview(person, of, stars[n])))
    const { reviewCount, averageStars } = await body(
      await call(null, "GET", `/records/films/${of}`),
    )
    expect({ reviewCount, averageStars }).toEqual({ reviewCount: 50, averageStars: 3 })
  })
})

describe("watch lists", () => {
  test("are private: to others, also to administrators, they do not exist", async () => {
    const made = await call(alice, "POST", "/records/watchlists", { name: "Later", films: [film] })
    expect(made.status).toBe(201)
    const path = `/records/watchlists/${(await body(made)).id}`
    for (const other of [bob, editor, administrator]) {
      expect((await call(other, "GET", path)).status).toBe(404)
      expect((await call(other, "PATCH", path, { name: "Mine" })).status).toBe(404)
      expect((await call(other, "DELETE", path)).status).toBe(404)
      const list = await body(await call(other, "GET", "/records/watchlists?count=exact"))
      expect(list).toEqual({ items: [], next: null, count: 0 })
    }
    expect((await call(null, "GET", path)).status).toBe(401)
    expect((await body(await call(alice, "GET", path))).films).toEqual([film])
  })
})

test("a film that is deleted takes its reviews along and leaves every watch list", async () => {
  const [of, other] = [await newFilm("Withdrawn"), await newFilm("Kept")]
  const reviews = [await newReview(alice, of), await newReview(bob, of)]
  const made = await call(bob, "POST", "/records/watchlists", { name: "Both", films: [of, other] })
  const { id } = await body(made)
  expect((await call(bob, "DELETE", `/records/films/${of}`)).status).toBe(403)
  expect((await call(editor, "DELETE", `/records/films/${of}`)).status).toBe(204)
  for (const review of reviews) {
    expect((await call(null, "GET", `/records/reviews/${review}`)).status).toBe(404)
  }
  const list = await body(await call(bob, "GET", `/records/watchlists/${id}`))
  expect(list).toMatchObject({ films: [other], version: 2 })
})

test("who has a film on a watch list is told of a new review, once, and nobody else", async () => {
  const of = await newFilm("Watched")
  const watcher = await signedIn("wanda")
  await call(watcher, "POST", "/records/watchlists", { name: "Soon", films: [of] })
  await call(watcher, "POST", "/records/watchlists", { name: "Really soon", films: [of] })
  await newReview(bob, of, 5)
  await expect
    .poll(async () => (await body(await call(watcher, "GET", "/records/notices"))).items)
    .toMatchObject([{ owner: watcher.id, film: of, stars: 5 }])
  expect((await body(await call(bob, "GET", "/records/notices"))).items).toEqual([])
  expect(
    (await call(watcher, "POST", "/records/notices", { film: of, owner: watcher.id, cause: "x" }))
      .status,
  ).toBe(403)
})

test("the club at a glance shows the newest reviews with their films", async () => {
  const of = await newFilm("Latest")
  await newReview(alice, of)
  const { newestReviews } = await body(await call(null, "GET", "/club"))
  expect(
    (newestReviews as { expanded: { film: { title: string } } }[])[0]?.expanded.film.title,
  ).toBe("Latest")
})

test("every write of the club has its line in the log, and only those", async () => {
  const { results } = await env.DB.prepare(
    "SELECT subject, count(*) AS lines, (SELECT count(*) FROM films) AS films FROM changes WHERE subject = 'films' AND kind = 'created' GROUP BY subject",
  ).all<{ lines: number; films: number }>()
  const deleted = await env.DB.prepare(
    "SELECT count(*) AS n FROM changes WHERE subject = 'films' AND kind = 'deleted'",
  ).first<{ n: number }>()
  expect(results[0]?.lines).toBe((results[0]?.films ?? 0) + (deleted?.n ?? 0))
})
