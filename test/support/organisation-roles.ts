import type { OrganisationRole } from "../../src/core/identity/organisation-roles.ts"

/** Roles of a product's own. */
export const fixtureRoles: Readonly<Record<string, OrganisationRole>> = {
  steward: { rank: 40, permissions: ["members.read", "members.manage"] },
  /** Stands low, and may what a steward may not. */
  herald: { rank: 10, permissions: ["members.read", "invitations.manage"] },
}
