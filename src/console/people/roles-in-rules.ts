import type { CollectionDescription } from "../data/collections.ts"

/** These are given by organisations. */
const ofOrganisations = new Set(["owner", "admin", "member", "guest"])

/** Names in `has(@me.roles, "editor")`, in order. */
export function rolesInRules(collections: readonly CollectionDescription[]): string[] {
  const rules = collections.flatMap((one) => [
    ...Object.values(one.rules),
    ...one.fields.flatMap(({ options }) => [options.readable, options.writable]),
  ])
  const found = JSON.stringify(rules).matchAll(/has\(\s*@me\.roles\s*,\s*\\?["']([a-z0-9_-]+)/g)
  const names = [...found].map(([, name]) => name as string)
  return [...new Set(names)].filter((name) => !ofOrganisations.has(name)).sort()
}
