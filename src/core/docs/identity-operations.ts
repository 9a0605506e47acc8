import { z } from "zod"
import { identityOperations, type Operation } from "../identity/openapi.ts"
import * as shapes from "../identity/schema.ts"
import type { Answer, DocumentedOperation, Parameter, PathItem, Schema } from "./document.ts"
import { schemaRef } from "./document.ts"
import { answerHeaders, requestHeader } from "./headers.ts"
import { pascalCase } from "./names.ts"
import { badCredentials, everywhere, type problemAnswers } from "./problem-answers.ts"
import { securityFor } from "./security.ts"

/** Names of identity's objects on the wire, by schema: `newUser` is `NewUser`. */
const names = new Map<z.ZodType, string>(
  Object.entries(shapes).flatMap(([name, shape]) =>
    shape instanceof z.ZodObject && shape !== shapes.pageQuery ? [[shape, pascalCase(name)]] : [],
  ),
)

/** Schemas of everything that identity takes and answers. Input is strict, answers may grow. */
export function identitySchemas(): Record<string, Schema> {
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

/** Paths of `/auth/…` and what else identity serves. */
export function identityPaths(
  use: ReturnType<typeof problemAnswers>["use"],
): Record<string, PathItem> {
  const paths: Record<string, Record<string, DocumentedOperation>> = {}
  for (const operation of identityOperations) {
    const item = paths[operation.path] ?? {}
    paths[operation.path] = { ...item, [operation.method]: operationOf(operation, use) }
  }
  return paths
}

function operationOf(
  operation: Operation,
  use: ReturnType<typeof problemAnswers>["use"],
): DocumentedOperation {
  const { operationId, summary, description, auth, body } = operation
  return {
    operationId,
    tags: ["auth"],
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
      requestHeader("X-Bookmark"),
    ],
    ...(body && {
      requestBody: {
        required: body.required,
        content: Object.fromEntries(
          body.mediaTypes.map((type) => [type, { schema: referenceTo(body.schema) }]),
        ),
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.responses).map(([status, answer]) => [status, answerOf(answer)]),
      ),
      ...use([...operation.problems, ...credentialsOf(operation), ...everywhere]),
    },
    security: auth === "none" ? [{}] : securityFor(auth),
  }
}

/** A route that needs no session looks at one that is sent all the same; where sessions begin, it is passed over. */
const credentialsOf = ({ auth, method }: Operation) =>
  auth === "none" && method === "get" ? badCredentials : []

function answerOf({ description, schema, headers = {} }: Operation["responses"][number]): Answer {
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
    ...(schema && { content: { "application/json": { schema: referenceTo(schema) } } }),
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
