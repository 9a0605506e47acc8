/** What a collection is called in the names of operations (`createFilm`, `listFilms`) and schemas (`Film`, `NewFilm`). */
export interface CollectionNames {
  /** PascalCase, one of them. */
  readonly one: string
  /** PascalCase, several. */
  readonly many: string
}

/** Names of collections, no two alike and none of `taken` (schemas and operations of other modules). */
export function collectionNames(
  collections: Iterable<string>,
  taken: ReadonlySet<string>,
): ReadonlyMap<string, CollectionNames> {
  const used = new Set(taken)
  const names = new Map<string, CollectionNames>()
  for (const collection of collections) {
    const many = pascalCase(collection)
    const candidates = [singular(many), many, `${many}Record`].map((one) => ({ one, many }))
    const free = candidates.find((candidate) => madeOf(candidate).every((name) => !used.has(name)))
    const chosen = free ?? { one: `${many}CollectionRecord`, many: `${many}Collection` }
    for (const name of madeOf(chosen)) used.add(name)
    names.set(collection, chosen)
  }
  return names
}

const madeOf = ({ one, many }: CollectionNames): string[] => [
  one,
  `New${one}`,
  `${one}Patch`,
  `${one}Replacement`,
  `${one}Page`,
  `Past${one}`,
  `${one}Version`,
  `${many}Bin`,
  `list${many}`,
  `list${many}Bin`,
  `list${one}History`,
  `get${one}Version`,
  ...["create", "get", "update", "replace", "delete", "restore"].map((verb) => verb + one),
]

export const pascalCase = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1)

/** English, as far as names of collections go. Where it is wrong, a method is called oddly, and nothing breaks. */
export function singular(name: string): string {
  const at = name.search(/[A-Z][a-z0-9]*$/)
  const [head, last] = [name.slice(0, Math.max(at, 0)), name.slice(Math.max(at, 0))]
  const known = irregular[last.toLowerCase()]
  if (known !== undefined)
    return head + (last.charAt(0) === last.charAt(0).toLowerCase() ? known : pascalCase(known))
  if (/(?:ss|us|is)$/.test(last)) return name
  for (const [plural, one] of endings)
    if (plural.test(last)) return head + last.replace(plural, one)
  return name
}

const irregular: Readonly<Record<string, string>> = {
  people: "person",
  children: "child",
  men: "man",
  women: "woman",
  mice: "mouse",
  movies: "movie",
  cookies: "cookie",
  series: "series",
  species: "species",
  news: "news",
  analyses: "analysis",
  media: "media",
  data: "data",
}

const endings: readonly (readonly [RegExp, string])[] = [
  [/(?<=..)ies$/, "y"],
  [/(?<=ss|sh|ch|x|z)es$/, ""],
  [/(?<=statu|bonu|campu|viru)ses$/, "s"],
  [/s$/, ""],
]
