import { expect, test } from "vitest"
import {
  allows,
  covers,
  linkOrganisationRoles,
  permissions,
} from "../../../src/core/identity/organisation-roles.ts"
import { fixtureRoles } from "../../support/organisation-roles.ts"

const roles = linkOrganisationRoles(fixtureRoles)

test.each([
  ["owner", [...permissions]],
  ["admin", ["members.read", "members.manage", "invitations.manage"]],
  ["steward", ["members.read", "members.manage"]],
  ["herald", ["members.read", "invitations.manage"]],
  ["member", ["members.read"]],
  ["guest", []],
  ["forgotten", []],
  ["administrator", []],
])("%s may %j", (role, expected) => {
  expect(permissions.filter((permission) => allows(roles, [role], permission))).toEqual(expected)
})

test.each<[string[], string[], boolean]>([
  [["owner"], ["owner"], true],
  [["owner"], ["admin", "steward", "herald", "member", "guest"], true],
  [["admin"], ["owner"], false],
  [["admin"], ["admin"], true],
  [["admin"], ["guest", "owner"], false],
  [["admin"], ["steward", "herald"], true],
  // Below in rank, and still more than a steward may do.
  [["steward"], ["herald"], false],
  [["steward"], ["member"], true],
  [["steward"], ["admin"], false],
  [["steward", "herald"], ["herald"], true],
  [["herald"], ["member"], false],
  [["herald"], ["guest"], true],
  [["member"], ["steward"], false],
  [["guest"], ["guest"], true],
  [["guest"], ["member"], false],
  [[], ["guest"], false],
  [["forgotten"], ["guest"], false],
  // What the code no longer declares stands for nothing, and may be taken away.
  [["guest"], ["forgotten"], true],
])("%j covers %j: %s", (held, others, expected) => {
  expect(covers(roles, held, others)).toBe(expected)
})

test.each<[string, number]>([
  ["owner", 10],
  ["administrator", 10],
  ["Trainer", 10],
  ["trainer", 100],
  ["trainer", -1],
  ["trainer", 1.5],
])("a role %s of rank %d is refused at start-up", (name, rank) => {
  expect(() => linkOrganisationRoles({ [name]: { rank, permissions: [] } })).toThrow(/role/)
})
