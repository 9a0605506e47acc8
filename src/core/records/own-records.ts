import type { App, UserActor } from "../../platform/app.ts"
import { recordsFor } from "./api.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"

/**
 * Every record of the database that the actor made or that points at them through a relation to `members`, as far as they
 * may read it: the lists of the API, a page of 200 at a time.
 */
export const ownRecordsOf = (collections: LinkedCollections) =>
  async function* ownRecords(app: App, actor: UserActor) {
    const records = recordsFor(app, actor, collections)
    const visible = [...collections.values()].filter(
      // What belongs to organisations is asked of each of them.
      ({ scoped, rules, sqlView }) =>
        sqlView === null && rules.read !== null && (!scoped || actor.organisation !== null),
    )
    for (const collection of visible) {
      for await (const record of records.all(collection.definition, {
        filter: ownedBy(collection),
      })) {
        yield {
          database: app.db.name,
          collection: collection.name,
          record: record as unknown as Readonly<Record<string, unknown>> & { readonly id: string },
        }
      }
    }
  }

function ownedBy({ name, fields }: LinkedCollection): string {
  const links = [...fields.values()].filter(({ target }) => target?.name === "members")
  return [
    name === "members" ? "id = @me.id" : "createdBy = @me.id",
    ...links.flatMap((field) => {
      if (field.kind === "relation") return [`${field.name} = @me.id`]
      return field.kind === "relations" ? [`any(${field.name}, id = @me.id)`] : []
    }),
  ].join(" || ")
}
