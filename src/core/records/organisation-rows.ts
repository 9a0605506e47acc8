import { anyOf, identifier, type Sql, sql } from "../../platform/sql.ts"
import type { LinkedCollections } from "./link.ts"

/** SQL that is true while a collection holds a record of the organisation, in the database that it is asked of. */
export const organisationHasRecords =
  (collections: LinkedCollections) =>
  (organisation: string): Sql =>
    anyOf(
      [...collections.values()]
        .filter(({ scoped, sqlView }) => scoped && sqlView === null)
        .map(
          ({ name }) =>
            sql`EXISTS (SELECT 1 FROM ${identifier(name)} WHERE organisation = ${organisation})`,
        ),
    )
