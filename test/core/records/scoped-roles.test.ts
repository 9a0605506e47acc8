import { describe, expect, test } from "vitest"
import { linkOrganisationRoles } from "../../../src/core/identity/organisation-roles.ts"
import { collection } from "../../../src/core/records/collection.ts"
import { text } from "../../../src/core/records/fields.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { assertScopedRoles } from "../../../src/core/records/scoped-roles.ts"

const roles = new Set(linkOrganisationRoles().keys())

describe("a rule that names a role of organisations", () => {
  test.each<[string, Parameters<typeof collection>[1]]>([
    ["read", { fields: {}, rules: { read: 'has(@me.roles, "admin")' } }],
    ["create", { fields: {}, rules: { create: "@me.id != null && has(@me.roles, 'owner')" } }],
    [
      "update",
      { fields: {}, rules: { update: { before: "true", after: '!has(@me.roles, "guest")' } } },
    ],
    ["field", { fields: { secret: text({ readable: 'has(@me.roles, "member")' }) } }],
  ])("is refused at start-up for what belongs to no organisation: %s", (_, options) => {
    const check = (more: object) =>
      assertScopedRoles(linkCollections([collection("notes", { ...options, ...more })]), roles)
    expect(() => check({})).toThrow(/A rule of "notes" names the role/)
    expect(() => check({ scope: "organisation" })).not.toThrow()
  })

  test.each(['has(@me.roles, "editor")', '@me.kind = "user"'])("%s passes", (read) => {
    const notes = collection("notes", { fields: { kind: text() }, rules: { read } })
    expect(() => assertScopedRoles(linkCollections([notes]), roles)).not.toThrow()
  })
})
