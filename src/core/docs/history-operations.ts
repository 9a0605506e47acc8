import * as z from "zod"
import { newRestoration } from "../records/history-routes.ts"
import type { LinkedCollection } from "../records/link.ts"
import { systemFieldNames } from "../records/shape.ts"
import type { Parameter, Schema } from "./document.ts"
import { schemaRef } from "./document.ts"
import { answerHeaders, requestHeader } from "./headers.ts"
import type { CollectionNames } from "./names.ts"
import { badBody } from "./problem-answers.ts"
import { isOpen, type Reader } from "./reader.ts"
import type { RecordOperation } from "./record-operations.ts"

const page: readonly Parameter[] = [
  {
    name: "limit",
    in: "query",
    description: "How many a page has at most.",
    schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
  },
  {
    name: "cursor",
    in: "query",
    description: "`next` of the page before.",
    schema: { type: "string" },
  },
]

/** Asks for a record as it was. */
export const asOfParameter: Parameter = {
  name: "asOf",
  in: "query",
  description:
    "An instant: the record as it was then, whole, without rollups. Not found where the version of then may not be read.",
  schema: { type: "string", format: "date-time" },
}

const version: Parameter = {
  name: "version",
  in: "path",
  required: true,
  description: "As in the record's `version`.",
  schema: { type: "integer", minimum: 1 },
}

/** What of a collection's history may be asked, by the path behind `/records/{collection}`. */
export function historyDrafts(
  reader: Reader,
  collection: LinkedCollection,
  { one, many }: CollectionNames,
): readonly (readonly [
  path: string,
  drafts: Readonly<Record<string, RecordOperation>>,
  parameters: readonly Parameter[],
])[] {
  const { name, builtIn, sqlView } = collection
  if (builtIn || sqlView !== null || !isOpen(reader, collection, "read")) return []
  const answer = (
    description: string,
    schema: string | Schema,
    ...headers: ("Link" | "ETag")[]
  ) => ({
    200: {
      description,
      headers: answerHeaders(...headers, "X-Bookmark"),
      content: {
        "application/json": { schema: typeof schema === "string" ? schemaRef(schema) : schema },
      },
    },
  })
  return [
    [
      "/{id}/history",
      {
        get: {
          id: `list${one}History`,
          summary: "List the versions of a record",
          description:
            "Who changed what, and when, the newest first. A version is shown where the read rule holds of it and of the record now, a field where its own rule does; a page may hold fewer than `limit`. Of a deleted record, to those who could read and delete it.",
          actions: ["read"],
          parameters: page,
          answers: answer("A page of versions.", "HistoryPage", "Link"),
          problems: ["invalid_input", "invalid_cursor", "not_found"],
        },
      },
      [],
    ],
    [
      "/{id}/history/{version}",
      {
        get: {
          id: `get${one}Version`,
          summary: "Read a version of a record",
          actions: ["read"],
          answers: answer("What changed, and the record as it was.", `${one}Version`),
          problems: ["invalid_input", "not_found"],
        },
      },
      [version],
    ],
    [
      "/{id}/restorations",
      {
        post: {
          id: `restore${one}`,
          summary: "Make a record what it was",
          description:
            "A new version, written like any other: rules, validation, references and hooks are today's. What you may not read stays as it is. A deleted record comes back under its id; that takes the right to delete it, and to create it. Asked again, it changes nothing, unless somebody wrote meanwhile: that is what an Idempotency-Key is for.",
          actions: ["create", "update"],
          parameters: [requestHeader("If-Match"), requestHeader("Idempotency-Key")],
          body: { schema: "NewRestoration", mediaTypes: ["application/json"] },
          answers: answer(
            "The record as it is now; its id alone where you may not read it any more.",
            { anyOf: [schemaRef(one), schemaRef("RecordReference")] },
            "ETag",
          ),
          problems: [
            ...badBody,
            "forbidden",
            "not_found",
            "conflict",
            "precondition_failed",
            "idempotency_mismatch",
          ],
        },
      },
      [],
    ],
    [
      "/bin",
      {
        get: {
          id: `list${many}Bin`,
          summary: `List deleted \`${name}\``,
          description:
            "What you could read, delete and create anew, as it last was. A page looks at a thousand deletions, and may hold fewer than `limit`.",
          actions: ["delete"],
          parameters: page,
          answers: answer("A page of what was deleted.", `${many}Bin`, "Link"),
          problems: ["invalid_input", "invalid_cursor", "not_found"],
        },
      },
      [],
    ],
  ]
}

const author: Schema = {
  type: ["object", "null"],
  required: ["id", "name"],
  properties: {
    id: { type: "string", format: "uuid" },
    name: { type: ["string", "null"], description: "Null where you may not see the person." },
  },
}

const head: Readonly<Record<string, Schema>> = {
  version: { type: "integer", minimum: 1 },
  kind: { type: "string", enum: ["created", "updated", "deleted"] },
  at: { type: "string", format: "date-time" },
  actor: { ...author, description: "Who wrote it; null for the system and anonymous writers." },
  impersonator: { ...author, description: "The administrator who acted in the actor's name." },
  authority: {
    type: "string",
    enum: ["rule", "administrator", "system"],
    description: "What allowed it: a rule, an administrator's pass over the rules, the system.",
  },
  requestId: { type: "string", description: "Of the request that wrote it." },
}

const changes: Schema = {
  type: ["object", "null"],
  description:
    "By field, what it was and what it became. Null where you may not read the version before.",
}

const object = (properties: Readonly<Record<string, Schema>>, description?: string): Schema => ({
  type: "object",
  ...(description && { description }),
  required: Object.keys(properties),
  properties,
})

const pageOf = (items: Schema): Schema =>
  object({
    items: { type: "array", items },
    next: { type: ["string", "null"], description: "The `cursor` of the next page." },
  })

/** Schemas that all collections share. Made when asked for: start-up pays for no schema. */
export const historySchemas = (): Record<string, Schema> => ({
  HistoryItem: object({ ...head, changes }, "A version of a record."),
  HistoryPage: pageOf(schemaRef("HistoryItem")),
  NewRestoration: bodyOf(newRestoration),
})

/** From the very schema that the body is parsed with. */
function bodyOf(shape: z.ZodType): Schema {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io: "input" })
  return schema as Schema
}

/** Schemas of one collection; `record` is that of its records. */
export function pastSchemas(
  { builtIn }: LinkedCollection,
  { one, many }: CollectionNames,
  record: Schema,
): Record<string, Schema> {
  if (builtIn) return {}
  const own = Object.entries(record.properties ?? {}).filter(
    ([name, { readOnly }]) => !readOnly || systemFieldNames.includes(name),
  )
  const past = schemaRef(`Past${one}`)
  return {
    [`Past${one}`]: {
      type: "object",
      description: "A record as it was, as far as you may read it: without rollups.",
      required: systemFieldNames,
      properties: Object.fromEntries(own),
    },
    [`${one}Version`]: object({ ...head, changes, record: past }),
    [`${many}Bin`]: pageOf(
      object({ id: { type: "string", format: "uuid" }, ...head, record: past }),
    ),
  }
}
