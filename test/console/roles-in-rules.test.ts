import { expect, test } from "vitest"
import type { CollectionDescription } from "../../src/console/data/collections.ts"
import { rolesInRules } from "../../src/console/people/roles-in-rules.ts"

const collection = (
  rules: CollectionDescription["rules"],
  readable?: string,
): CollectionDescription => ({
  name: "films",
  description: null,
  scope: null,
  administrators: "pass",
  fields: [{ name: "notes", kind: "text", required: false, options: readable ? { readable } : {} }],
  rules,
  search: [],
  unique: [],
  indexes: [],
  readOnly: false,
})

test("the roles that rules speak of are named once, without those that organisations give", () => {
  const found = rolesInRules([
    collection({
      read: "true",
      create: `has(@me.roles, "editor") || has( @me.roles, 'shop-keeper')`,
    }),
    collection({
      update: { before: `has(@me.roles, "owner")`, after: `has(@me.roles, "editor")` },
    }),
    collection({}, `has(@me.roles, "archivist") && has(tags, "drama")`),
  ])
  expect(found).toEqual(["archivist", "editor", "shop-keeper"])
})
