import { env } from "cloudflare:workers"
import { describe, expect, test } from "vitest"
import movies from "../../node_modules/vega-datasets/data/movies.json"
import { collections } from "../../src/app/collections.ts"
import { filmId, filmsFromMovies, type Movie, readReleaseDate } from "../../src/app/demo/movies.ts"
import { loadDemo } from "../../src/app/demo.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import { type App, createApp } from "../../src/platform/app.ts"
import { isId } from "../../src/platform/ids.ts"
import { parseSettings } from "../../src/platform/settings.ts"
import { sql } from "../../src/platform/sql.ts"

const movie = (fields: Partial<Movie>): Movie => ({
  Title: "A Film",
  "US Gross": null,
  "Worldwide Gross": null,
  "Production Budget": null,
  "Release Date": null,
  "MPAA Rating": null,
  "Running Time min": null,
  Distributor: null,
  "Major Genre": null,
  Director: null,
  "Rotten Tomatoes Rating": null,
  "IMDB Rating": null,
  "IMDB Votes": null,
  ...fields,
})

describe("a release date", () => {
  test.for([
    [null, { kind: "unknown" }],
    ["", { kind: "unknown" }],
    ["Jun 12 1998", { kind: "dated", on: "1998-06-12" }],
    ["Feb 29 2008", { kind: "dated", on: "2008-02-29" }],
    ["Dec 23 2011", { kind: "dated", on: "2011-12-23" }],
    ["Dec 31 2046", { kind: "corrected", on: "1946-12-31", from: "2046-12-31" }],
    ["Feb 08 2015", { kind: "corrected", on: "1915-02-08", from: "2015-02-08" }],
    ["Jan 01 2012", { kind: "corrected", on: "1912-01-01", from: "2012-01-01" }],
  ] as const)("%s is understood", ([text, expected]) => {
    expect(readReleaseDate(text)).toEqual(expected)
  })

  test.for([
    ["Dec 31 1969", /zero of its clock/],
    ["Feb 30 1998", /no date/],
    ["1998-06-12", /no date/],
    ["soon", /no date/],
    ["Foo 12 1998", /no date/],
    ["Jan 01 1700", /before there was cinema/],
    ["Dec 31 1887", /before there was cinema/],
    ["Jan 01 2146", /after its own end/],
  ] as const)("%s is implausible, with a reason", ([text, reason]) => {
    expect(readReleaseDate(text)).toEqual({
      kind: "implausible",
      reason: expect.stringMatching(reason),
    })
  })
})

describe("a row of movies.json", () => {
  test.for([
    ["a numeric title becomes text", { Title: 1941 }, { title: "1941" }],
    ["gaps stay null", {}, { director: null, genre: null, imdbRating: null, releasedOnNote: null }],
    [
      "an implausible date is null, and the film says why",
      { "Release Date": "Dec 31 1969" },
      { releasedOn: null, releasedOnNote: expect.stringContaining("1969-12-31") },
    ],
    [
      "a date past the source's end is a century earlier",
      { "Release Date": "Aug 25 2039" },
      { releasedOn: "1939-08-25", releasedOnNote: null },
    ],
    ["a gross of zero stays zero", { "US Gross": 0 }, { usGross: 0 }],
  ] as const)("%s", ([, fields, expected]) => {
    expect(filmsFromMovies([movie(fields)]).films[0]).toMatchObject(expected)
  })

  test.for([[null], [""], ["  "]] as const)(
    "without a title (%j) is refused with its number",
    ([Title]) => {
      const { films, refused } = filmsFromMovies([movie({}), movie({ Title })])
      expect(films).toHaveLength(1)
      expect(refused).toEqual([{ row: 2, reason: "The row has no title." }])
    },
  )

  test("has an id that is the same every time, and a UUIDv7 in the order of the rows", () => {
    const ids = Array.from({ length: 3_201 }, (_, index) => filmId(index + 1))
    expect(new Set(ids).size).toBe(3_201)
    expect([...ids].sort()).toEqual(ids)
    expect(ids.every((id) => isId(id) && /^.{14}7.{4}[89ab]/.test(id))).toBe(true)
    expect(filmId(1)).toBe("0125e72e-7801-75e2-b151-8de1ab4cf1e1")
  })
})

test("all of movies.json is kept but the one row without a title", () => {
  const { films, corrected, undated, refused } = filmsFromMovies(movies as Movie[])
  expect(films).toHaveLength(3_200)
  expect(refused).toEqual([{ row: 3_054, reason: "The row has no title." }])
  expect(corrected).toHaveLength(22)
  expect(undated).toHaveLength(8)
  expect(films.filter(({ releasedOn }) => releasedOn === null)).toHaveLength(8)
  expect(films.every(({ releasedOn }) => !releasedOn || releasedOn < "2012")).toBe(true)
  expect(corrected).toContainEqual({
    row: 401,
    title: "Gone with the Wind",
    from: "2039-12-15",
    to: "1939-12-15",
  })
})

describe("loading the demo", () => {
  const linked = linkCollections(collections)
  const app = (): App =>
    createApp({
      env,
      settings: parseSettings(env),
      requestId: "demo",
      database: "main",
      bookmark: null,
      waitUntil: () => {},
    })
  const count = async (text: string): Promise<unknown> =>
    (await app().db.all({ text: `SELECT count(*) AS n FROM ${text}`, params: [] }))[0]?.n

  test("fills the films once, each with its line in the log, and mends a load that was cut off", async () => {
    expect((await loadDemo(app(), linked))[0]).toMatch(/^3200 films loaded/)
    expect(await count("films")).toBe(3_200)
    expect(await count("changes WHERE subject = 'films' AND authority = 'system'")).toBe(3_200)
    expect(await loadDemo(app(), linked)).toEqual([])

    // As a kill after the second thousand would have left it.
    await app().db.batch([
      sql`DELETE FROM films WHERE id >= ${filmId(2_001)}`,
      sql`DELETE FROM changes WHERE record >= ${filmId(2_001)} AND record <= ${filmId(3_201)}`,
    ])
    expect((await loadDemo(app(), linked))[0]).toMatch(/^1200 films loaded/)
    expect(await count("films")).toBe(3_200)

    // As a person who deletes one: it stays deleted.
    await app().db.all(sql`DELETE FROM films WHERE id = ${filmId(7)}`)
    expect(await loadDemo(app(), linked)).toEqual([])
    expect(await count("films")).toBe(3_199)
  })
})
