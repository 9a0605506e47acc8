import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { distanceMetres, isWithin, type Point } from "../../../src/core/expression/geo.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import {
  create,
  get,
  type Json,
  list,
  listPath,
  type Page,
  patch,
  query,
  read,
  refused,
} from "./cast.ts"

let alice: Person
let bob: Person
beforeAll(async () => {
  alice = await signedIn("alice")
  bob = await signedIn("bob")
})

/** Places past the engine, by name. */
async function insert(prefix: string, places: readonly (Point | null)[]): Promise<void> {
  await query(
    `INSERT INTO places (id, version, createdAt, updatedAt, owner, open, name, location)
     SELECT v ->> 'id', 1, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', ?, 1, v ->> 'name', v ->> 'location'
     FROM (SELECT value AS v FROM json_each(?))`,
    [
      alice.id,
      JSON.stringify(
        places.map((location, n) => ({
          id: crypto.randomUUID(),
          name: `${prefix}${n}`,
          location: location && JSON.stringify(location),
        })),
      ),
    ],
  )
}
const names = async (filter: string, parameters: Record<string, string> = {}) =>
  (await list(null, "places", { filter, limit: "200", ...parameters })).items.map(
    ({ name }) => name,
  )

const berlin = { latitude: 52.52, longitude: 13.405 }
const potsdam = { latitude: 52.39886, longitude: 13.06566 }
const fiji = { latitude: -17.8, longitude: 178 }
const samoa = { latitude: -13.8, longitude: -172 }

describe("a point", () => {
  test("comes out as it went in, and is changed as a whole", async () => {
    const made = await create(alice, "places", { name: "a", location: berlin })
    expect(made.location).toEqual(berlin)
    expect((await get(null, "places", made.id)).location).toEqual(berlin)
    const swapped = { longitude: 13.405, latitude: 52.52 }
    expect((await patch(alice, "places", made.id, { location: swapped })).version).toBe(1)
    expect((await patch(alice, "places", made.id, { location: potsdam })).location).toEqual(potsdam)
    const emptied = await patch(alice, "places", made.id, { location: null })
    expect([emptied.location, emptied.version]).toEqual([null, 3])
    const lines = await query(
      "SELECT payload ->> '$.location' AS at FROM changes WHERE record = ? ORDER BY version",
      [made.id],
    )
    expect(lines.map(({ at }) => at)).toEqual([
      JSON.stringify(berlin),
      JSON.stringify(potsdam),
      null,
    ])
  })

  test.each([
    [{ latitude: 91, longitude: 0 }, "location.latitude"],
    [{ latitude: 0, longitude: -180.1 }, "location.longitude"],
    [{ latitude: 1 }, "location.longitude"],
    [{ latitude: "1", longitude: 2 }, "location.latitude"],
    [{ latitude: 1, longitude: 2, altitude: 3 }, "location"],
    [[13.4, 52.5], "location"],
    ["52.5,13.4", "location"],
  ])("%j is none", async (location, path) => {
    const body = { name: "x", location }
    const problem = await refused(call(alice, "POST", "/records/places", body), 400)
    expect(problem.errors?.[0]?.path).toMatch(new RegExp(`^${path}`))
  })

  test("whose column was written past the engine keeps its limits", async () => {
    const broken = { latitude: 100, longitude: 0 } as Point
    await expect(insert("broken", [broken])).rejects.toThrow("CHECK")
  })
})

test("distances are those of the great circle", async () => {
  // By the haversine formula on a sphere of 6,371.0088 km; ellipsoids differ by 0.5 % at most.
  expect(distanceMetres(berlin, potsdam)).toBeCloseTo(26_653, -2)
  expect(distanceMetres(berlin, berlin)).toBe(0)
  expect(
    distanceMetres({ latitude: 90, longitude: 7 }, { latitude: -90, longitude: 0 }),
  ).toBeCloseTo(20_015_115, -1)
  expect(
    distanceMetres({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }),
  ).toBeCloseTo(111_195, -1)
})

describe("records are found", () => {
  beforeAll(() => insert("city", [berlin, potsdam, fiji, samoa, null]))
  const cities = 'name ~ "city%"'
  test.each([
    ["distance(location, 52.5, 13.4) < 5000", ["city0"]],
    ["distance(location, 52.5, 13.4) < 50000", ["city0", "city1"]],
    ["distance(location, 52.52, 13.405) <= 0", ["city0"]],
    ["distance(location, 52.5, 13.4) > 50000", ["city2", "city3"]],
    // Of null nothing is true, and its opposite is.
    ["!(distance(location, 52.5, 13.4) > 50000)", ["city0", "city1", "city4"]],
    ["distance(location, 52.5, 13.4) = null", ["city4"]],
    ["location != null && 5e4 > distance(location, 52.5, 13.4)", ["city0", "city1"]],
    // Across the antimeridian.
    ["distance(location, -16, 179) < 1100000", ["city2", "city3"]],
    ["distance(location, -16, -179) < 900000", ["city2", "city3"]],
    ["within(location, -20, 170, -10, -170)", ["city2", "city3"]],
    ["within(location, -20, -180, -10, 180)", ["city2", "city3"]],
    ["within(location, -20, 170, -10, 180)", ["city2"]],
    ["within(location, 52, 13, 53, 14)", ["city0", "city1"]],
    ["within(location, 52.52, 13.405, 52.52, 13.405)", ["city0"]],
    ["!within(location, 52, 13, 53, 14)", ["city2", "city3", "city4"]],
  ])("by %s", async (filter, expected) => {
    expect((await names(`${cities} && ${filter}`)).sort()).toEqual(expected)
  })

  test("in the order of their distance, a page at a time", async () => {
    const sort = "distance(location,52.5,13.4)"
    expect(await names(`${cities} && location != null`, { sort })).toEqual([
      "city0",
      "city1",
      "city3",
      "city2",
    ])
    for (const order of [sort, `-${sort}`, `open,${sort},-name`]) {
      const all = await names(cities, { sort: order })
      const walked: unknown[] = []
      for (let cursor: string | null = ""; cursor !== null; ) {
        const page: Page = await list(null, "places", {
          filter: cities,
          sort: order,
          limit: "2",
          ...(cursor && { cursor }),
        })
        walked.push(...page.items.map(({ name }) => name))
        cursor = page.next
      }
      expect(walked).toEqual(all)
    }
  })

  test("alike with and without the index, wherever they lie", async () => {
    const degrees = (most: number) =>
      fc.oneof(
        fc.constantFrom(-most, most, 0, most - 0.001, 0.015625),
        fc.integer({ min: -most * 1000, max: most * 1000 }).map((n) => n / 1000),
      )
    const place = fc.record({ latitude: degrees(90), longitude: degrees(180) })
    const places = fc.sample(place, 300)
    await insert("any", places)
    const found = async (filter: string) => (await names(`name ~ "any%" && ${filter}`)).length
    const check = fc.asyncProperty(
      place,
      place,
      fc.constantFrom(1, 30_000, 400_000, 3_000_000, 9_000_000),
      async (at, other, metres) => {
        const where = `location, ${at.latitude}, ${at.longitude}`
        const near = places.filter((one) => distanceMetres(one, at) < metres).length
        expect(await found(`distance(${where}) < ${metres}`)).toBe(Math.min(near, 200))
        const [south = 0, north = 0] = [at.latitude, other.latitude].sort((a, b) => a - b)
        const box = { south, west: at.longitude, north, east: other.longitude }
        const inside = places.filter((one) => isWithin(one, box)).length
        const text = `within(location, ${south}, ${box.west}, ${north}, ${box.east})`
        expect(await found(text)).toBe(Math.min(inside, 200))
      },
    )
    await fc.assert(check, { numRuns: 60 })
  })
})

test("a place is found without reading the others", async () => {
  const grid = Array.from({ length: 20_000 }, (_, n) => ({
    latitude: -60 + Math.floor(n / 200) * 0.5,
    longitude: -150 + (n % 200),
  }))
  for (let at = 0; at < grid.length; at += 5_000) await insert("grid", grid.slice(at, at + 5_000))
  const near = 'name ~ "grid%" && distance(location, -30, 20) < 60000'
  const cost = costOf(await call(null, "GET", listPath("places", { filter: near })))
  // Some 70 bands of latitude, and the few places in them.
  expect(cost.rowsRead).toBeLessThan(250)
  const box = costOf(
    await call(
      null,
      "GET",
      listPath("places", { filter: "within(location, -30.2, 20, -29.8, 22)", count: "exact" }),
    ),
  )
  expect(box.rowsRead).toBeLessThan(250)
})

test("a point that the caller may not read is nowhere", async () => {
  const den = { latitude: 10, longitude: 20 }
  const name = "den of alice"
  const { id } = await create(alice, "places", { name, den })
  await create(alice, "places", { name: "beside", near: id })
  const filter = "distance(den, 10, 20) < 1000"
  const asked = async (as: Person, filter: string) =>
    (await list(as, "places", { filter })).items.map((item) => item.name)
  expect(await asked(alice, filter)).toEqual([name])
  expect(await asked(bob, filter)).toEqual([])
  expect(await asked(alice, "within(near.den, 9, 19, 11, 21)")).toEqual(["beside"])
  expect(await asked(bob, "within(near.den, 9, 19, 11, 21)")).toEqual([])
  const sort = "distance(den,1,2)"
  const problem = await refused(call(bob, "GET", listPath("places", { sort })), 400)
  expect(problem.errors?.[0]?.code).toBe("not_sortable")
})

test.each([
  ["filter", "distance(name, 1, 2) < 3", "wrong_type"],
  ["filter", "within(name, 1, 2, 3, 4)", "wrong_type"],
  ["filter", "distance(location, 91, 2) < 3", "bad_point"],
  ["filter", "distance(location, 1, -180.5) < 3", "bad_point"],
  ["filter", "within(location, 3, 1, 2, 4)", "bad_point"],
  ["filter", "distance(location, 1) < 3", "syntax"],
  ["filter", "distance(location, 1, name) < 3", "syntax"],
  ["filter", "within(location, 1, 2, 3)", "syntax"],
  ["filter", "distance(location, 1, 2)", "wrong_type"],
  ["filter", "within(location, 1, 2, 3, 4) = true", "syntax"],
  ["filter", "location = den", "wrong_type"],
  ["filter", 'location = "x"', "wrong_type"],
  ["filter", "location > 3", "wrong_type"],
  ["sort", "location", "not_sortable"],
  ["sort", "distance(near.location,1,2)", "not_sortable"],
  ["sort", "distance(location,1)", "syntax"],
  ["sort", "distance(name,1,2)", "wrong_type"],
  ["sort", "distance(nonsense,1,2)", "unknown_field"],
])("%s=%s is refused", async (parameter, text, code) => {
  const path = listPath("places", { [parameter]: text })
  const problem = await refused(call(alice, "GET", path), 400)
  expect(problem.errors?.map((error: Json) => error.code)).toEqual([code])
})

test("an aggregate measures distances no more than it groups by points", async () => {
  for (const question of ["group=location", "measure=max(location)"]) {
    await refused(call(alice, "GET", `/records/places/aggregate?${question}`), 400)
  }
  const filter = "within(location, 52, 13, 53, 14)"
  const { items } = await read<Page>(
    call(alice, "GET", `/records/places/aggregate?${new URLSearchParams({ filter })}`),
    200,
  )
  expect(items).toEqual([{ count: 2 }])
})
