import type { FieldKind } from "../../../src/core/records/fields.ts"
import type { LinkedCollection } from "../../../src/core/records/link.ts"
import { systemFieldNames } from "../../../src/core/records/shape.ts"
import { listPath } from "./cast.ts"
import type { Choices } from "./randomness.ts"

/*
 * Every way in which a client can name something in a read, generated from the definitions of the collections: each
 * field at the end of each path, under each operator, in each quantifier, as a sort key, a field, an expansion, a search.
 */

/** Values that hidden and visible rows share, so that comparisons hit. */
export const vocabulary = {
  words: [
    "apple",
    "zebra",
    "mango",
    "red",
    "apple zebra",
    "zebra zebra mango",
    "mango mango apple red red",
  ],
  numbers: [0, 1, 2, 3, 5],
  dates: ["2026-01-01", "2026-02-02", "1999-12-31"],
  degrees: [0, 1, 52.5, -45, 89],
  moments: ["2026-01-01T00:00:00.000Z", "2026-02-02T10:00:00.000Z"],
}

interface ValuePath {
  readonly path: string
  readonly kind: FieldKind | "system"
}
interface ManyPath {
  readonly path: string
  readonly target: LinkedCollection
}

/** Fields of a collection and, through relations to one, of others. */
export function valuePaths(collection: LinkedCollection, depth: number): ValuePath[] {
  const own: ValuePath[] = systemFieldNames.map((path) => ({ path, kind: "system" }))
  for (const { name, kind, target } of collection.fields.values()) {
    if (kind === "relations" || kind === "backRelation") continue
    own.push({ path: name, kind })
    if (kind !== "relation" || !target || depth === 0) continue
    for (const { path, kind } of valuePaths(target, depth - 1)) {
      own.push({ path: `${name}.${path}`, kind })
    }
  }
  return own
}

function manyPaths(collection: LinkedCollection, depth: number): ManyPath[] {
  return [...collection.fields.values()].flatMap(({ name, kind, target }): ManyPath[] => {
    if (!target) return []
    if (kind !== "relation") return [{ path: name, target }]
    if (depth === 0) return []
    return manyPaths(target, depth - 1).map((many) => ({ ...many, path: `${name}.${many.path}` }))
  })
}

const operators = ["=", "!=", ">", ">=", "<", "<="]

/** All comparisons of one path, each with a value of the vocabulary. */
function comparisons(
  choices: Choices,
  { path, kind }: ValuePath,
  ids: readonly string[],
): string[] {
  const quoted = (values: readonly string[]) => () => JSON.stringify(choices.pick(values))
  const ordered = (value: () => string | number) => [
    ...operators.map((operator) => `${path} ${operator} ${value()}`),
    `${path} in (${value()}, ${value()})`,
    `${path} !in (${value()}, null)`,
  ]
  const nulls = [`${path} = null`, `${path} != null`]
  switch (kind) {
    case "json":
      return nulls
    case "point": {
      const degrees = () => choices.pick(vocabulary.degrees)
      const place = () => `${degrees()}, ${degrees()}`
      return [
        ...nulls,
        `distance(${path}, ${place()}) < ${choices.pick([1, 200_000, 1e7])}`,
        `distance(${path}, ${place()}) >= ${choices.pick([1, 200_000, 1e7])}`,
        `!(distance(${path}, ${place()}) > 200000)`,
        `within(${path}, -10, ${degrees()}, 52.6, ${degrees()})`,
        `!within(${path}, -10, ${degrees()}, 52.6, ${degrees()})`,
      ]
    }
    case "boolean":
      return [path, `!${path}`, `${path} != true`, ...nulls]
    case "integer":
    case "number":
    case "rollup":
      return [...ordered(() => choices.pick(vocabulary.numbers)), ...nulls]
    case "date":
    case "datetime": {
      const dates = quoted([...vocabulary.dates, ...vocabulary.moments])
      return [
        ...ordered(dates),
        `day(${path}) = 2`,
        `month(${path}) > 1`,
        `year(${path}) < 2026`,
        ...nulls,
      ]
    }
    case "relation":
      return [...ordered(quoted(ids)), ...nulls]
    default: {
      const texts = quoted(path.endsWith("At") ? vocabulary.moments : [...vocabulary.words, ...ids])
      if (path.endsWith("version")) return ordered(() => choices.pick(vocabulary.numbers))
      if (path.endsWith("At")) return ordered(texts)
      const word = () => choices.pick(vocabulary.words)
      return [
        ...ordered(texts),
        `${path} ~ ${JSON.stringify(word().slice(0, 3))}`,
        `${path} !~ ${JSON.stringify(word().slice(1))}`,
        `${path} ~ ${JSON.stringify(`${word().slice(0, 2)}%`)}`,
        `lower(${path}) = ${texts()}`,
        `length(${path}) > ${choices.pick([3, 5, 8])}`,
        ...nulls,
      ]
    }
  }
}

/** Filters over every path, and every quantifier over every path of its members. */
export function filters(
  choices: Choices,
  collection: LinkedCollection,
  ids: readonly string[],
): string[] {
  const plain = valuePaths(collection, 2).flatMap((path) => comparisons(choices, path, ids))
  const quantified = manyPaths(collection, 1).flatMap(({ path, target }) => {
    const inner = [
      ...valuePaths(target, 1).map((value) => choices.pick(comparisons(choices, value, ids))),
      ...manyPaths(target, 0).map((many) => `count(${many.path}) > ${choices.below(3)}`),
      ...manyPaths(target, 0).map(
        (many) => `has(${many.path}, ${JSON.stringify(choices.pick(ids))})`,
      ),
    ]
    return [
      ...["any", "all", "none"].flatMap((word) =>
        inner.map((condition) => `${word}(${path}, ${condition})`),
      ),
      ...inner.map((condition) => `count(${path}, ${condition}) > ${choices.below(2)}`),
      ...operators.map((operator) => `count(${path}) ${operator} ${choices.below(4)}`),
      ...ids.map((id) => `has(${path}, "${id}")`),
    ]
  })
  const all = [...plain, ...quantified]
  const combined = Array.from({ length: 40 }, () => {
    const [a, b] = [choices.pick(all), choices.pick(all)]
    return choices.pick([`${a} && ${b}`, `${a} || ${b}`, `!(${a})`, `!(${a} || !(${b}))`])
  })
  return [...all, ...combined]
}

function expansions(collection: LinkedCollection, depth: number): string[] {
  return [...collection.fields.values()].flatMap(({ name, target }) =>
    target
      ? [name, ...(depth > 1 ? expansions(target, depth - 1).map((path) => `${name}.${path}`) : [])]
      : [],
  )
}

/** Requests that a list of this collection can be asked for. */
export function listQueries(
  choices: Choices,
  collection: LinkedCollection,
  ids: readonly string[],
  most: number,
): string[] {
  const path = (parameters: Record<string, string>) => listPath(collection.name, parameters)
  const filtered = choices
    .shuffle(filters(choices, collection, ids))
    .slice(0, most)
    .map((filter) => path({ filter, count: "exact", fields: "id" }))
  const names = [...systemFieldNames, ...collection.fields.keys(), "nonsense"]
  const sorted = names.flatMap((name) => [
    path({ sort: name, limit: "3" }),
    path({ sort: `-${name}`, limit: "2", count: "exact" }),
    path({ sort: `${choices.pick(names)},-${name}`, fields: "id" }),
  ])
  for (const { path: name, kind } of valuePaths(collection, 1)) {
    if (kind === "point") sorted.push(path({ sort: `-distance(${name},52.5,1)`, limit: "3" }))
  }
  const shaped = [
    ...valuePaths(collection, 2).map((value) => path({ fields: `id,${value.path}` })),
    ...expansions(collection, 1).map((expand) => path({ expand })),
    ...choices
      .shuffle(expansions(collection, 3))
      .slice(0, most / 2)
      .map((expand) => path({ expand })),
    // So deep that what is brought along meets what it came from again.
    ...choices
      .shuffle(expansions(collection, 5))
      .slice(0, most / 20)
      .map((expand) => path({ expand, limit: "3" })),
    path({ limit: "200", count: "exact" }),
  ]
  const words = [...new Set(vocabulary.words.flatMap((words) => words.split(" ")))]
  const searched =
    collection.searchFields.length === 0
      ? []
      : [...words, "apple zebra", "mango a", "ze", "secret", "note"].flatMap((search) => [
          path({ search, count: "exact", fields: "id" }),
          path({ search, limit: "2", fields: "id" }),
          path({ search, sort: "title", fields: "id" }),
        ])
  return [...filtered, ...sorted, ...shaped, ...searched]
}

/** Questions about all records at once: every path as a group and under every measure, in every order. */
export function aggregateQueries(
  choices: Choices,
  collection: LinkedCollection,
  ids: readonly string[],
): string[] {
  const path = (parameters: Record<string, string>) =>
    listPath(`${collection.name}/aggregate`, parameters)
  const paths = [...valuePaths(collection, 2).map((value) => value.path), "nonsense"]
  const measuresOf = (name: string) => [
    "count",
    ...["sum", "avg", "min", "max", "countDistinct"].map((measure) => `${measure}(${name})`),
  ]
  const bucket = () => choices.pick(["day", "week", "month", "year"])
  const filter = () => choices.pick(filters(choices, collection, ids))
  const about = paths.flatMap((name) => {
    const measure = choices.pick(measuresOf(name))
    const other = choices.pick(paths)
    return [
      path({ group: name }),
      path({ group: name, measure: "count", sort: "-count", limit: "2" }),
      path({ group: `${bucket()}(${name})`, measure: "count" }),
      path({ measure: `min(${name}),max(${name}),countDistinct(${name})` }),
      path({ measure: `sum(${name}),avg(${name})` }),
      path({ group: other, measure, sort: `-${measure}`, limit: "3" }),
      path({ group: `${other},${name}`, measure: "count", filter: filter() }),
    ]
  })
  const words = collection.searchFields.length ? ["apple", "zebra", "mango a", "secret"] : []
  return [
    ...about,
    path({}),
    ...words.map((search) => path({ search, group: choices.pick(paths), measure: "count" })),
  ]
}

/** Searches of everything, and of each collection by name. */
export const searchQueries = (collections: Iterable<LinkedCollection>): string[] => {
  const words = [...new Set(vocabulary.words.flatMap((words) => words.split(" ")))]
  const names = [...collections].map(({ name }) => name)
  return [...words, "apple zebra", "mango a", "ze", "secret", "note"].flatMap((q) =>
    [`q=${q}`, `q=${q}&limit=2`, ...names.map((name) => `q=${q}&collections=${name}`)].map(
      (parameters) => `/search?${new URLSearchParams(parameters)}`,
    ),
  )
}

/** Requests that one record can be asked for. */
export const recordQueries = (collection: LinkedCollection, id: string): string[] => [
  `/records/${collection.name}/${id}`,
  ...expansions(collection, 3).map(
    (expand) => `/records/${collection.name}/${id}?expand=${expand}`,
  ),
  ...valuePaths(collection, 1).map(
    ({ path }) => `/records/${collection.name}/${id}?fields=${path}`,
  ),
]
