import type { Actor, App } from "../../platform/app.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { anyType } from "../records/fields.ts"
import { isFileField } from "../records/file-records.ts"
import type { LinkedCollections } from "../records/link.ts"
import { viewFor } from "../records/view.ts"
import { mediaTypes } from "./media-type.ts"

/** The field of records for which a file is sent: plain data, to be kept while it arrives. */
export interface Destination {
  /** `films.poster` */
  readonly name: string
  readonly types: readonly string[]
  /** Null where the deployment alone sets a limit. */
  readonly maxBytes: number | null
}

/**
 * The field that is named, if this actor could ever give it a file. No I/O.
 *
 * @throws {Problem} `invalid_input`, which does not tell what the actor may not know of
 */
export function destinationNamed(
  app: App,
  actor: Actor,
  collections: LinkedCollections,
  name: string,
): Destination {
  const [of = "", fieldName = ""] = name.split(".")
  const collection = collections.get(of)
  const field = collection?.fields.get(fieldName)
  const view = viewFor(app, actor, collections)
  const may = collection && {
    create: view.writeRule(collection, "create", collection.rules.create),
    update: view.writeRule(collection, "update", collection.rules.update?.before ?? null),
  }
  const known = field && isFileField(field) && view.fieldRule(field) !== false
  if (!known || name !== `${of}.${fieldName}` || !(may?.create || may?.update)) {
    const message = `for: there is no field "${name}" to which you could give a file.`
    throw invalidInput({ path: "query.for", code: "unknown_field", message })
  }
  const { types = [anyType], maxBytes = null } = field.options
  return { name, types, maxBytes }
}

/**
 * Before a byte is read: what is said of it. A type that no content is told to have says nothing.
 *
 * @throws {Problem} `payload_too_large`, `unsupported_media_type`
 */
export function assertMayArrive(
  destination: Destination,
  { type, sizeBytes }: { readonly type: string | undefined; readonly sizeBytes: number },
): void {
  const { name, maxBytes } = destination
  if (maxBytes !== null && sizeBytes > maxBytes) {
    throw new Problem("payload_too_large", `${name} takes files of ${maxBytes} bytes at most.`)
  }
  const declared = type?.split(";")[0]?.trim().toLowerCase() ?? ""
  const says = mediaTypes.includes(declared) && declared !== "application/octet-stream"
  if (says) assertFits(destination, declared)
}

/** @throws {Problem} `unsupported_media_type`: its content, whatever was said of it */
export function assertFits({ name, types }: Destination, type: string): void {
  const fits = types.some(
    (pattern) =>
      pattern === anyType ||
      pattern === type ||
      (pattern.endsWith("/*") && type.startsWith(pattern.slice(0, -1))),
  )
  if (fits) return
  throw new Problem(
    "unsupported_media_type",
    `${name} takes files of these types: ${types.join(", ")}. This is ${type}.`,
  )
}
