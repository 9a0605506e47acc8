import { administratorRole } from "../../platform/app.ts"

/*
 * What the roles of an organisation allow, declared in code: nobody can grant at run time what no line here names. Pure.
 */

export const permissions = [
  /** Its name and its policy. */
  "organisation.update",
  "organisation.delete",
  "ownership.transfer",
  "members.read",
  /** Change roles, and remove. */
  "members.manage",
  "invitations.manage",
] as const
export type Permission = (typeof permissions)[number]

export interface OrganisationRole {
  /** 0 to 99. Nobody gives, or takes from others, a role that stands above their own; an owner stands at 100. */
  readonly rank: number
  readonly permissions: readonly Permission[]
}

/** Roles by name. */
export type OrganisationRoles = ReadonlyMap<string, OrganisationRole>

export const ownerRole = "owner"

/** What an owner becomes who hands the organisation over. */
export const adminRole = "admin"

const builtIn: Readonly<Record<string, OrganisationRole>> = {
  [ownerRole]: { rank: 100, permissions },
  [adminRole]: { rank: 80, permissions: ["members.read", "members.manage", "invitations.manage"] },
  member: { rank: 20, permissions: ["members.read"] },
  guest: { rank: 0, permissions: [] },
}

/**
 * The roles of all organisations of a deployment: the four that are always there, and a product's own.
 *
 * @throws {Error} at start-up, for one that would be another's name, an owner's equal, or the deployment's administrator.
 */
export function linkOrganisationRoles(
  own: Readonly<Record<string, OrganisationRole>> = {},
): OrganisationRoles {
  for (const [name, { rank }] of Object.entries(own)) {
    if (!/^[a-z][a-z0-9_-]{0,39}$/.test(name) || name in builtIn || name === administratorRole) {
      throw new Error(
        `"${name}" cannot name a role of organisations: use lower-case letters, and none of ${[...Object.keys(builtIn), administratorRole].join(", ")}.`,
      )
    }
    if (!Number.isInteger(rank) || rank < 0 || rank > 99) {
      throw new Error(`The role "${name}" has the rank ${rank}: give it one from 0 to 99.`)
    }
  }
  return new Map(Object.entries({ ...builtIn, ...own }))
}

/** Whether someone with the roles `held` may do it. A role that the code no longer declares allows nothing. */
export const allows = (
  roles: OrganisationRoles,
  held: readonly string[],
  permission: Permission,
): boolean => held.some((name) => roles.get(name)?.permissions.includes(permission))

/**
 * Whether someone with the roles `held` stands at least as high as each of `others`, and may do whatever these allow: only
 * then may they give or take them. Both are asked, because a role of low rank may still carry what its giver lacks.
 */
export function covers(
  roles: OrganisationRoles,
  held: readonly string[],
  others: readonly string[],
): boolean {
  const rank = Math.max(-1, ...held.map((name) => roles.get(name)?.rank ?? -1))
  return others.every((name) => {
    const role = roles.get(name)
    return (
      !role ||
      (role.rank <= rank && role.permissions.every((permission) => allows(roles, held, permission)))
    )
  })
}
