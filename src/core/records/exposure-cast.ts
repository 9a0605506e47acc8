import type { ActingKey, Actor, App } from "../../platform/app.ts"
import { identifier, jsonArray, raw, type Sql, sql } from "../../platform/sql.ts"
import type { OrganisationRoles } from "../identity/organisation-roles.ts"
import { effectiveRoles } from "../identity/sessions.ts"
import { getPerson } from "../identity/users.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"
import { exampleActor, type Persona, personasOf } from "./personas.ts"

/** Memberships of a person that are looked at. */
const maxMemberships = 10

/** Ids that nobody has. */
const nobody = "00000000-0000-7000-8000-000000000000"
const nowhere = "00000000-0000-7000-8000-000000000001"

/**
 * The people of whom a collection's personas are examples: its owner is whom most of the newest records point at, its
 * organisation the one to which most of them belong. One trip, or none.
 */
export async function castFor(app: App, collection: LinkedCollection, newest: number) {
  const columns = [...collection.fields.values()]
    .filter(({ kind, target }) => kind === "relation" && target?.name === "members")
    .map(({ name }) => name)
  const asked = collection.sqlView === null && columns.length > 0
  const scoped = collection.scoped ? scopedRows(collection) : undefined
  const none = sql`SELECT NULL AS value WHERE false`
  const [owners = [], organisations = []] =
    asked || scoped
      ? await app.db.batch([
          asked ? mostFrequent(collection, columns, newest) : none,
          scoped ? mostFrequent(scoped, ["organisation"], newest) : none,
        ])
      : []
  const owner = owners[0]?.value as string | undefined
  const [organisation = nowhere, otherOrganisation = nobody] = organisations.map(
    ({ value }) => value as string,
  )
  return {
    /** Those that this collection can tell apart. */
    personas: (collections: LinkedCollections, roles: OrganisationRoles): Persona[] =>
      personasOf(collections, new Set(roles.keys()), {
        ...{ owner: owner ?? nobody, stranger: nobody, member: nobody, outsider: nobody },
        ...{ organisation, otherOrganisation },
      }).filter(
        ({ kind }) =>
          (kind !== "owner" || owner !== undefined) &&
          (collection.scoped || (kind !== "member" && kind !== "outsider")),
      ),
  }
}

/** The collection that says which organisations there are: of a view, what it reads. */
const scopedRows = (collection: LinkedCollection): LinkedCollection | undefined =>
  collection.sqlView === null
    ? collection
    : collection.sqlView.reads.find(({ of }) => of.scoped && of.sqlView === null)?.of

/** The two values that stand most often in any of these columns of the newest records. */
function mostFrequent({ name }: LinkedCollection, columns: readonly string[], newest: number): Sql {
  const rows = sql`(SELECT * FROM ${identifier(name)} ORDER BY rowid DESC LIMIT ${raw(String(newest))})`
  const values = jsonArray(columns.map((column) => sql`n.${identifier(column)}`))
  return sql`SELECT r.value FROM ${rows} n, json_each(${values}) r WHERE r.value IS NOT NULL GROUP BY r.value ORDER BY count(*) DESC, r.value LIMIT 2`
}

/**
 * One person: as they are outside of all organisations, and in each of theirs whose records lie in this database.
 *
 * @throws {Problem} `not_found`
 */
export async function personasFor(app: App, actor: Actor, id: string): Promise<Persona[]> {
  const person = await getPerson(app, actor, id)
  const here = person.memberships.filter(({ database }) => database === app.db.name)
  return [null, ...here.slice(0, maxMemberships)].map((membership) => ({
    ...{ kind: "person", role: null, name: id, description: "a person" },
    actor: {
      ...exampleActor({
        ...{ id, email: person.email, roles: effectiveRoles(person, membership) },
        organisation: membership?.organisation ?? null,
      }),
      // To a rule, @me.kind.
      ...(person.kind === "anonymous" && { anonymous: true }),
      ...(person.kind === "service" && { key: anyKey }),
    },
  }))
}

/** Of a service account, which comes with keys alone: one that is not narrowed. */
const anyKey: ActingKey = { id: nobody, hash: "", scopes: ["*:*"], service: true }
