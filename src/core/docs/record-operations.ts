import type { ProblemCode } from "../../platform/problem.ts"
import type { Action } from "../identity/key-scopes.ts"
import { deletionPlan, type Pointer } from "../records/cascade-plan.ts"
import { maxTakenAlong } from "../records/deletion.ts"
import type { LinkedCollection } from "../records/link.ts"
import { aggregateParameters } from "./aggregate-operation.ts"
import { bulkOperations } from "./bulk-operations.ts"
import type {
  Answer,
  DocumentedOperation,
  Parameter,
  PathItem,
  Reference,
  Schema,
} from "./document.ts"
import { schemaRef } from "./document.ts"
import { answerHeaders, requestHeader } from "./headers.ts"
import { asOfParameter, historyDrafts } from "./history-operations.ts"
import { listParameters, shapeParameters } from "./list-parameters.ts"
import type { CollectionNames } from "./names.ts"
import { badBody, badCredentials, everywhere, type problemAnswers } from "./problem-answers.ts"
import { isOpen, type Reader } from "./reader.ts"
import { ruleSentence } from "./rules.ts"
import { securityFor } from "./security.ts"

/** An operation of one collection, before it is known whether the reader may see it. */
export interface RecordOperation {
  readonly id: string
  readonly summary: string
  readonly description?: string
  /** Rules that decide about it: any of them opens it. */
  readonly actions: readonly Action[]
  readonly parameters?: readonly (Parameter | Reference)[]
  /** The name of a schema among the components, or one of its own. */
  readonly body?: { readonly schema: string | Schema; readonly mediaTypes: readonly string[] }
  readonly answers: Readonly<Record<number, Answer>>
  readonly problems: readonly ProblemCode[]
}

const json = ["application/json"] as const
const mergePatch = ["application/merge-patch+json", "application/json"] as const

/** The paths of one collection, as far as its rules, or the reader's pass, open them. */
export function recordPaths(
  reader: Reader,
  collection: LinkedCollection,
  names: CollectionNames,
  use: ReturnType<typeof problemAnswers>["use"],
): Record<string, PathItem> {
  const { one, many } = names
  const written = (status: 200 | 201): Record<number, Answer> => ({
    [status]: {
      description: status === 201 ? "It is made." : "The record as it is now.",
      headers: answerHeaders("ETag", "X-Bookmark", ...(status === 201 ? ["Location"] : [])),
      content: { "application/json": { schema: writtenSchema(reader, collection, one) } },
    },
  })
  const drafts = {
    list: {
      id: `list${many}`,
      summary: `List \`${collection.name}\``,
      actions: ["read"],
      parameters: listParameters(reader, collection),
      answers: {
        200: {
          description: "A page of the records that you may read.",
          headers: answerHeaders("Link", "X-Bookmark"),
          content: { "application/json": { schema: schemaRef(`${one}Page`) } },
        },
      },
      problems: ["invalid_input", "invalid_expression", "invalid_cursor", ...unfound(collection)],
    },
    aggregate: {
      id: `aggregate${many}`,
      summary: "Count, add up, and tell groups apart",
      description:
        "Of the records that you may read. A field that you may not read is null, record by record.",
      actions: ["read"],
      parameters: aggregateParameters(reader, collection, listParameters(reader, collection)),
      answers: {
        200: {
          description: "A page of the groups.",
          headers: answerHeaders("Link", "X-Bookmark"),
          content: { "application/json": { schema: schemaRef("AggregatePage") } },
        },
      },
      problems: ["invalid_input", "invalid_expression", "invalid_cursor", ...unfound(collection)],
    },
    create: {
      id: `create${one}`,
      summary: "Create a record",
      actions: ["create"],
      parameters: [requestHeader("Idempotency-Key")],
      body: { schema: `New${one}`, mediaTypes: json },
      answers: written(201),
      problems: [...badBody, "forbidden", "not_found", "conflict", "idempotency_mismatch"],
    },
    get: {
      id: `get${one}`,
      summary: "Read a record",
      actions: ["read"],
      parameters: [
        ...shapeParameters(reader, collection),
        ...(collection.builtIn || collection.sqlView !== null ? [] : [asOfParameter]),
        requestHeader("If-None-Match"),
      ],
      answers: {
        200: {
          description: "The record, as far as you may read it.",
          headers: answerHeaders("ETag", "X-Bookmark"),
          content: {
            "application/json": {
              schema: collection.builtIn
                ? schemaRef(one)
                : { anyOf: [schemaRef(one), schemaRef(`Past${one}`)] },
            },
          },
        },
        304: { description: "Your copy is still good.", headers: answerHeaders("ETag") },
      },
      problems: ["invalid_input", "not_found"],
    },
    patch: {
      id: `update${one}`,
      summary: "Change a record",
      description:
        "JSON Merge Patch (RFC 7396): what is absent stays, null empties. A patch that changes nothing writes nothing.",
      actions: ["update"],
      parameters: [requestHeader("If-Match")],
      body: { schema: `${one}Patch`, mediaTypes: mergePatch },
      answers: written(200),
      problems: [...badBody, "forbidden", "not_found", "conflict", "precondition_failed"],
    },
    put: {
      id: `replace${one}`,
      summary: "Create or replace a record",
      description:
        "What is absent falls back to its default or to null. The id is yours to choose: any UUID in lower case.",
      actions: ["create", "update"],
      parameters: [requestHeader("If-Match"), requestHeader("If-None-Match-Any")],
      body: { schema: `${one}Replacement`, mediaTypes: json },
      answers: { ...written(200), ...written(201) },
      problems: [...badBody, "forbidden", "not_found", "conflict", "precondition_failed"],
    },
    delete: {
      id: `delete${one}`,
      summary: "Delete a record",
      description: deletionSentence(reader, collection),
      actions: ["delete"],
      parameters: [requestHeader("If-Match")],
      answers: { 204: { description: "It is gone.", headers: answerHeaders("X-Bookmark") } },
      problems: ["invalid_input", "forbidden", "not_found", "conflict", "precondition_failed"],
    },
  } as const satisfies Record<string, RecordOperation>

  const ask: RecordOperation = {
    id: `ask${one}`,
    summary: "Ask a saved view",
    description:
      "What it finds for you and now, as a list of its collection answers it. Refused as a list is, where the view names what you do not know.",
    actions: ["read"],
    parameters: listParameters(reader, collection).filter(({ name }) =>
      ["limit", "cursor", "count"].includes(name),
    ),
    answers: {
      200: {
        description: "A page of the records that it finds.",
        headers: answerHeaders("Link", "X-Bookmark"),
        content: { "application/json": { schema: schemaRef("SavedViewPage") } },
      },
    },
    problems: ["invalid_input", "invalid_expression", "invalid_cursor", "not_found"],
  }
  const item = (
    operations: Readonly<Record<string, RecordOperation>>,
    shared: readonly Parameter[] = [],
  ): PathItem =>
    Object.fromEntries(
      Object.entries(operations)
        .filter(([, draft]) => draft.actions.some((action) => isOpen(reader, collection, action)))
        .map(([method, draft]) => [method, operationOf(reader, collection, draft, shared, use)]),
    )
  const { list, aggregate, create, get, patch, put, delete: remove } = drafts
  const bulk = bulkOperations(reader, collection, { one, many })
  const id: Parameter = {
    name: "id",
    in: "path",
    required: true,
    ...(collection.sqlView === null
      ? {
          description: "The record's id, a UUID in lower case.",
          schema: { type: "string", format: "uuid" },
        }
      : { description: "The record's id.", schema: { type: "string", minLength: 1 } }),
  }
  const past = historyDrafts(reader, collection, names).map(([path, drafts, parameters]) => {
    const shared = path.includes("{id}") ? [id, ...parameters] : parameters
    return [`/records/${collection.name}${path}`, item(drafts, shared)] as const
  })
  return Object.fromEntries(
    [
      [
        `/records/${collection.name}`,
        item({ get: list, post: create, patch: bulk.change, delete: bulk.remove }),
      ] as const,
      [`/records/${collection.name}/aggregate`, item({ get: aggregate })] as const,
      ...(collection.definition.options.savedViews
        ? [[`/records/${collection.name}/{id}/records`, item({ get: ask }, [id])] as const]
        : []),
      [`/records/${collection.name}/export`, item({ get: bulk.export })] as const,
      [`/records/${collection.name}/import`, item({ post: bulk.import })] as const,
      [
        `/records/${collection.name}/{id}`,
        item({ get, patch, put, delete: remove }, [id]),
      ] as const,
      ...past,
    ].filter(([, methods]) => Object.keys(methods).length > 0),
  )
}

function operationOf(
  reader: Reader,
  collection: LinkedCollection,
  draft: RecordOperation,
  shared: readonly Parameter[],
  use: ReturnType<typeof problemAnswers>["use"],
): DocumentedOperation {
  const open = draft.actions.filter((action) => isOpen(reader, collection, action))
  const rules = open.map((action) =>
    draft.actions.length > 1
      ? `To ${action}: ${lowerCase(ruleSentence(reader, collection, action))}`
      : ruleSentence(reader, collection, action),
  )
  const anonymous = open.some((action) => mayBeAnonymous(reader, collection, action))
  return {
    operationId: draft.id,
    tags: [collection.name],
    summary: draft.summary,
    description: [draft.description, ...rules].filter(Boolean).join("\n\n"),
    parameters: [...shared, ...(draft.parameters ?? []), requestHeader("X-Bookmark")],
    ...(draft.body && {
      requestBody: {
        required: true,
        content: Object.fromEntries(
          draft.body.mediaTypes.map((type) => [type, { schema: bodySchema(draft) }]),
        ),
      },
    }),
    responses: {
      ...draft.answers,
      ...use([...draft.problems, ...refusedSession(draft), ...everywhere]),
    },
    security: securityFor(anonymous ? "none" : "session"),
  }
}

/** What goes with a record, as far as the reader may know of those collections. */
function deletionSentence(reader: Reader, collection: LinkedCollection): string {
  const { cascading, releasing } = deletionPlan(collection)
  const known = (pointers: readonly Pointer[]) =>
    new Set(
      pointers
        .filter(
          ({ from, field }) =>
            isOpen(reader, from, "read") && reader.view.fieldRule(field) !== false,
        )
        .map(({ from, field }) => `\`${from.name}.${field.name}\``),
    )
  const [goes, loses] = [[...known(cascading)], [...known(releasing)]]
  return [
    "A record that others point at stays: 409.",
    goes.length > 0 && `What points at it through ${goes.join(", ")} goes with it.`,
    loses.length > 0 && `What points at it through ${loses.join(", ")} loses the reference.`,
    goes.length + loses.length > 0 &&
      `Beyond ${maxTakenAlong.toLocaleString("en")} such records it is refused whole: 409.`,
  ]
    .filter(Boolean)
    .join(" ")
}
const bodySchema = ({ body }: RecordOperation): Schema =>
  typeof body?.schema === "string" ? schemaRef(body.schema) : (body?.schema ?? {})

const lowerCase = (sentence: string): string => sentence.charAt(0).toLowerCase() + sentence.slice(1)

/** A cookie that another site's page sent along is refused with `forbidden`, but only where something may change. */
const refusedSession = (draft: RecordOperation): readonly ProblemCode[] =>
  draft.actions.every((action) => action === "read")
    ? ["unauthenticated", ...badCredentials]
    : ["unauthenticated", "forbidden", ...badCredentials]

const unfound = (collection: LinkedCollection): readonly ProblemCode[] =>
  collection.rules.read === null ? ["not_found"] : []

function mayBeAnonymous(
  { stranger }: Reader,
  collection: LinkedCollection,
  action: Action,
): boolean {
  const { rules } = collection
  if (action === "read") return stranger.readRule(collection) !== false
  const rule = action === "update" ? (rules.update?.before ?? null) : rules[action]
  return stranger.writeRule(collection, action, rule) !== false
}

/** What its writer may not read is answered by its id alone. */
function writtenSchema(reader: Reader, collection: LinkedCollection, one: string) {
  const reference = schemaRef("RecordReference")
  if (!isOpen(reader, collection, "read")) return reference
  return reader.view.readRule(collection) === true
    ? schemaRef(one)
    : { anyOf: [schemaRef(one), reference] }
}
