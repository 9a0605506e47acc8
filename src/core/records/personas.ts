import { type Actor, administratorRole, anonymous, type UserActor } from "../../platform/app.ts"
import type { LinkedCollections } from "./link.ts"

export const personaKinds = [
  "anonymous",
  "stranger",
  "owner",
  "role",
  "member",
  "outsider",
  "administrator",
  "person",
] as const
export type PersonaKind = (typeof personaKinds)[number]

/** Somebody who may come, as an example of all who are like them. */
export interface Persona {
  readonly kind: PersonaKind
  /** The role that makes the difference, of the deployment or (`member`) of an organisation. */
  readonly role: string | null
  readonly name: string
  /** Who that is, for the reader. */
  readonly description: string
  readonly actor: Actor
}

/** The people of some data, by id, of whom there is one for each persona. */
export interface Cast {
  /** To whom records belong. */
  readonly owner: string
  /** To whom nothing belongs. */
  readonly stranger: string
  /** Somebody of the organisation, and somebody of another. */
  readonly member: string
  readonly outsider: string
  readonly organisation: string
  readonly otherOrganisation: string
}

/**
 * The personas that the rules speak of: everybody's, one for each role that a rule names, and where collections belong to
 * organisations, their members.
 *
 * @param organisationRoles names of the roles that people have within organisations only
 */
export function personasOf(
  collections: LinkedCollections,
  organisationRoles: ReadonlySet<string>,
  { owner, stranger, member, outsider, organisation, otherOrganisation }: Cast,
): Persona[] {
  const roles = rolesNamed(collections)
  const scoped = [...collections.values()].some((collection) => collection.scoped)
  const inOrganisation = new Set(["member", ...roles.filter((role) => organisationRoles.has(role))])
  const user = (id: string, names: readonly string[], of: string | null = null) =>
    exampleActor({ id, email: `${id}@example.com`, roles: names, organisation: of })
  return [
    {
      ...{ kind: "anonymous", role: null, name: "anonymous", description: "without a session" },
      actor: anonymous,
    },
    {
      ...{ kind: "stranger", role: null, name: "stranger" },
      description: "signed in, owns nothing",
      actor: user(stranger, []),
    },
    {
      ...{ kind: "owner", role: null, name: "owner" },
      description: "signed in, records point at them",
      actor: user(owner, []),
    },
    ...roles
      .filter((role) => !organisationRoles.has(role) && role !== administratorRole)
      .map(
        (role): Persona => ({
          ...{ kind: "role", role, name: role, description: `a stranger with the role "${role}"` },
          actor: user(stranger, [role]),
        }),
      ),
    ...(scoped
      ? [...inOrganisation].sort().map(
          (role): Persona => ({
            ...{ kind: "member", role, name: `org ${role}` },
            description: `the role "${role}" in an organisation`,
            actor: user(member, [role], organisation),
          }),
        )
      : []),
    ...(scoped
      ? [
          {
            ...{ kind: "outsider" as const, role: null, name: "other org" },
            description: "owner of another organisation",
            actor: user(outsider, ["owner"], otherOrganisation),
          },
        ]
      : []),
    {
      ...{ kind: "administrator", role: administratorRole, name: administratorRole },
      description: "administers the deployment",
      actor: user(stranger, [administratorRole]),
    },
  ]
}

/** A person as a request of theirs would have them, without a session of theirs. */
export const exampleActor = (
  person: Pick<UserActor, "id" | "email" | "roles" | "organisation">,
): UserActor => ({
  ...person,
  kind: "user",
  database: "main",
  epoch: 0,
  session: person.id,
  methods: ["pwd"],
  authenticatedAt: 0,
  impersonator: null,
})

/** Names in `has(@me.roles, "…")` of any rule, sorted. */
function rolesNamed(collections: LinkedCollections): string[] {
  const roles = new Set<string>()
  for (const { definition } of collections.values()) {
    const { rules = {}, fields } = definition.options
    const texts = [
      ...Object.values(rules).flatMap((rule) =>
        typeof rule === "object" ? Object.values(rule) : [rule],
      ),
      ...Object.values(fields).flatMap(({ options }) => [options.readable, options.writable]),
    ]
    for (const text of texts) {
      for (const [, , role = ""] of text?.matchAll(
        /has\(\s*@me\.roles\s*,\s*(["'])(.*?)\1\s*\)/g,
      ) ?? []) {
        roles.add(role)
      }
    }
  }
  return [...roles].sort()
}
