import { Hono, type MiddlewareHandler } from "hono"
import type { z } from "zod"
import type { Http, SignedIn } from "../../platform/http.ts"
import type { collectionDescription } from "./description-schema.ts"
import { isFileField } from "./file-records.ts"
import type { LinkedCollection, LinkedCollections } from "./link.ts"

/** Mounted at `/collections`: the definitions, for administrators and their console. They hold no data and cost no trip beyond the caller's. */
export function descriptionRoutes(
  collections: LinkedCollections,
  administrators: MiddlewareHandler<SignedIn>,
) {
  const body = JSON.stringify({ items: [...collections.values()].map(describe) })
  return new Hono<Http>().get("/", administrators, (c) =>
    c.body(body, 200, { "content-type": "application/json" }),
  )
}

/** A definition as data: rules as they are written, options as they are given. */
export function describe(collection: LinkedCollection): z.output<typeof collectionDescription> {
  const { name, definition, fields, scoped, builtIn, uniques, searchFields } = collection
  const { rules, indexes, description, administrators } = definition.options
  return {
    name,
    description: description ?? null,
    scope: scoped ? "organisation" : null,
    administrators: administrators ?? "pass",
    fields: [...fields.values()].map(({ name, kind, required, options }) => ({
      name,
      kind: isFileField({ options }) ? (kind === "relation" ? "file" : "files") : kind,
      required,
      options: options as Record<string, unknown>,
    })),
    rules: { ...rules },
    search: [...searchFields],
    unique: uniques.map((names) => [...names]),
    indexes: (indexes ?? []).map((names) => (typeof names === "string" ? [names] : [...names])),
    readOnly: builtIn,
  }
}
