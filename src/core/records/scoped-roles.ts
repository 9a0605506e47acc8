import { DefinitionError } from "../../platform/definition-error.ts"
import type { LinkedCollections } from "./link.ts"

/**
 * Anybody may make an organisation, and then has the role of its owner, who gives the others. Inside of a collection of
 * organisations such a role says something; in any other it would open the rule to everyone.
 *
 * @throws {DefinitionError} for a rule of a collection without `scope` that names one of these roles
 */
export function assertScopedRoles(
  collections: LinkedCollections,
  organisationRoles: ReadonlySet<string>,
): void {
  for (const { name, scoped, definition } of collections.values()) {
    if (scoped) continue
    const { rules = {}, fields } = definition.options
    const texts = [
      ...Object.values(rules).flatMap((rule) =>
        typeof rule === "object" ? Object.values(rule) : [rule],
      ),
      ...Object.values(fields).flatMap(({ options }) => [options.readable, options.writable]),
    ]
    for (const text of texts) {
      const role = text?.includes("@me.roles")
        ? [...text.matchAll(/(["'])([a-z][a-z0-9_-]*)\1/g)].find(([, , word]) =>
            organisationRoles.has(word as string),
          )?.[2]
        : undefined
      if (role === undefined) continue
      throw new DefinitionError(
        `A rule of "${name}" names the role "${role}", which anybody has in an organisation of their own: give the collection \`scope: "organisation"\`, or name a role of the deployment, in \`${text}\`.`,
      )
    }
  }
}
