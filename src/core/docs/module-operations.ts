import * as z from "zod"
import { metricsDocs } from "../../platform/metrics-openapi.ts"
import type { DocumentedModule, Operation } from "../../platform/operation.ts"
import { filesDocs } from "../files/openapi.ts"
import { keyDocs } from "../identity/key-openapi.ts"
import { identityDocs } from "../identity/openapi.ts"
import { organisationDocs } from "../identity/organisation-openapi.ts"
import { inboundDocs } from "../inbound/openapi.ts"
import { jobsDocs } from "../jobs/openapi.ts"
import { mailDocs } from "../mail/openapi.ts"
import { changesDocs } from "../records/changes-openapi.ts"
import { descriptionDocs } from "../records/description-openapi.ts"
import { exposureDocs } from "../records/exposure-openapi.ts"
import { bulkDocs } from "../records/openapi.ts"
import { searchDocs } from "../records/search-openapi.ts"
import { webhookDocs } from "../webhooks/openapi.ts"
import type { Answer, DocumentedOperation, Parameter, PathItem, Schema } from "./document.ts"
import { schemaRef } from "./document.ts"
import { answerHeaders, requestHeader } from "./headers.ts"
import { pascalCase } from "./names.ts"
import { badCaptcha, badCredentials, everywhere, type problemAnswers } from "./problem-answers.ts"
import { securityFor } from "./security.ts"

/** Every module with routes of its own, in the order in which the reference shows them. */
export const documentedModules: readonly DocumentedModule[] = [
  searchDocs,
  changesDocs,
  bulkDocs,
  filesDocs,
  identityDocs,
  organisationDocs,
  keyDocs,
  webhookDocs,
  jobsDocs,
  mailDocs,
  inboundDocs,
  metricsDocs,
  descriptionDocs,
  exposureDocs,
]

/** Names of the modules' objects on the wire, by schema: `newUser` is `NewUser`. Queries are parameters instead. */
const names = new Map<z.ZodType, string>(
  documentedModules.flatMap(({ shapes }) =>
    Object.entries(shapes).flatMap(([name, shape]) =>
      shape instanceof z.ZodObject && !name.endsWith("Query")
        ? [[shape, pascalCase(name)] as const]
        : [],
    ),
  ),
)

/** Schemas of everything that the modules take and answer. Input is strict, answers may grow. */
export function moduleSchemas(): Record<string, Schema> {
  const registry = z.registry<{ id: string }>()
  for (const [shape, id] of names) registry.add(shape, { id })
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: (id) => schemaRef(id).$ref })
  return Object.fromEntries(
    [...names].map(([shape, name]) => {
      const { $schema: _, $id: __, ...schema } = schemas[name] as Schema & Record<string, unknown>
      return [name, { ...schema, ...shape.meta() }]
    }),
  )
}

/** Paths of all modules. */
export function modulePaths(
  use: ReturnType<typeof problemAnswers>["use"],
): Record<string, PathItem> {
  const paths: Record<string, Record<string, DocumentedOperation>> = {}
  for (const { tag, operations } of documentedModules) {
    for (const operation of operations) {
      const item = paths[operation.path] ?? {}
      paths[operation.path] = { ...item, [operation.method]: operationOf(tag, operation, use) }
    }
  }
  return paths
}

function operationOf(
  tag: string,
  operation: Operation,
  use: ReturnType<typeof problemAnswers>["use"],
): DocumentedOperation {
  const { operationId, summary, description, auth, body } = operation
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description && { description }),
    parameters: [
      ...Object.entries(operation.pathParameters ?? {}).map(
        ([name, text]): Parameter => ({
          name,
          in: "path",
          required: true,
          description: text,
          schema: { type: "string" },
        }),
      ),
      ...(operation.query ? queryParameters(operation.query) : []),
      ...(operation.headers ?? []).map((name) => requestHeader(name)),
      requestHeader("X-Bookmark"),
      ...(operation.captcha ? [requestHeader("X-Captcha-Response")] : []),
    ],
    ...(body && {
      requestBody: {
        required: body.required,
        content: {
          ...Object.fromEntries(
            body.mediaTypes.map((type) => [type, { schema: referenceTo(body.schema) }]),
          ),
          ...(body.form && { "multipart/form-data": { schema: referenceTo(body.form) } }),
        },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.responses).map(([status, answer]) => [status, answerOf(answer)]),
      ),
      ...use([
        ...operation.problems,
        ...(operation.captcha ? badCaptcha : []),
        ...credentialsOf(operation),
        ...everywhere,
      ]),
    },
    security: auth === "none" ? [{}] : securityFor(auth === "either" ? "none" : auth),
  }
}

/** A route that needs no session looks at one that is sent all the same; where sessions begin, it is passed over. */
const credentialsOf = ({ auth, method }: Operation) =>
  auth === "none" && method === "get" ? badCredentials : []

function answerOf({
  description,
  schema,
  texts = [],
  headers = {},
}: Operation["responses"][number]): Answer {
  const known = ["Link", "Location"].filter((name) => name in headers)
  const own = Object.entries(headers).filter(([name]) => !known.includes(name))
  return {
    description,
    headers: {
      ...answerHeaders("X-Bookmark", ...known),
      ...Object.fromEntries(
        own.map(([name, text]) => [name, { description: text, schema: { type: "string" } }]),
      ),
    },
    ...((schema || texts.length > 0) && {
      content: {
        ...(schema && { "application/json": { schema: referenceTo(schema) } }),
        ...Object.fromEntries(texts.map((type) => [type, { schema: { type: "string" } }])),
      },
    }),
  }
}

function referenceTo(shape: z.ZodType): Schema {
  const name = names.get(shape)
  return name ? schemaRef(name) : (z.toJSONSchema(shape, { io: "input" }) as Schema)
}

const parameterTexts: Readonly<Record<string, string>> = {
  limit: "How many a page has.",
  cursor: "`next` of the page before.",
}

function queryParameters(query: z.ZodType): Parameter[] {
  const { properties = {} } = z.toJSONSchema(query, { io: "output" }) as Schema
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    description: schema.description ?? parameterTexts[name] ?? name,
    schema,
  }))
}
