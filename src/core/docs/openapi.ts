import type { LinkedCollection } from "../records/link.ts"
import { aggregatePageSchema, savedViewPageSchema } from "./aggregate-operation.ts"
import type { DocumentedOperation, OpenApi, PathItem, Schema } from "./document.ts"
import { webhookItems } from "./event-operations.ts"
import { answerHeaders, requestHeaders, responseHeaders } from "./headers.ts"
import { historySchemas } from "./history-operations.ts"
import { documentedModules, modulePaths, moduleSchemas } from "./module-operations.ts"
import { collectionNames } from "./names.ts"
import { badCredentials, everywhere, problemAnswers, problemSchemas } from "./problem-answers.ts"
import { collectionsKnownTo, type Reader } from "./reader.ts"
import { recordPaths } from "./record-operations.ts"
import { recordSchemas } from "./record-schemas.ts"
import { accessSentences } from "./rules.ts"
import { securityFor, securitySchemes } from "./security.ts"

/** Rises when a program that worked may stop working. Collections have no part in it: they are the deployment's. */
const contractVersion = "1"

/**
 * The OpenAPI document of a deployment, for one reader: made from the collections that the engine runs on and the
 * schemas that the input is parsed with, so that it cannot say anything else. Pure; takes milliseconds, so keep it.
 */
export function openApiDocument(reader: Reader): OpenApi {
  const { use, all } = problemAnswers()
  const past = historySchemas()
  const modules = moduleSchemas()
  const collections = collectionsKnownTo(reader)
  const names = collectionNames(
    reader.collections.keys(),
    new Set([
      ...Object.keys(modules),
      ...Object.keys(problemSchemas),
      "RecordReference",
      "AggregatePage",
      ...Object.keys(past),
      "SavedViewPage",
      ...documentedModules.flatMap(({ operations }) =>
        operations.map(({ operationId }) => operationId),
      ),
    ]),
  )
  const schemas: Record<string, Schema> = {}
  const paths: Record<string, PathItem> = {}
  for (const collection of collections) {
    const named = names.get(collection.name)
    if (!named) continue
    Object.assign(schemas, recordSchemas(reader, collection, names))
    Object.assign(paths, recordPaths(reader, collection, named, use))
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Hinterland",
      version: contractVersion,
      summary: "Records, rules, search and sign-in of this deployment.",
      description: introduction,
    },
    externalDocs: { url: "/docs", description: "The same to read, with the expression language." },
    servers: [{ url: "/" }],
    tags: [
      ...collections.map((collection) => ({
        name: collection.name,
        description: [descriptionOf(collection), ...accessSentences(reader, collection)].join(" "),
      })),
      ...documentedModules.map(({ tag, description }) => ({ name: tag, description })),
      { name: "deployment", description: "The deployment itself." },
    ],
    paths: { ...paths, ...modulePaths(use), ...deploymentPaths(use) },
    webhooks: webhookItems(reader, names),
    components: {
      schemas: {
        ...schemas,
        RecordReference: recordReference,
        AggregatePage: aggregatePageSchema,
        ...past,
        SavedViewPage: savedViewPageSchema,
        ...modules,
        ...problemSchemas,
      },
      responses: all,
      parameters: requestHeaders,
      headers: responseHeaders,
      securitySchemes,
    },
  }
}

const descriptionOf = ({ name, builtIn, definition }: LinkedCollection): string =>
  definition.options.description ??
  (builtIn
    ? "People, as collections see them: relations to people lead here, and ids are those of accounts."
    : `Records of \`${name}\`.`)

const introduction = `JSON in camelCase; times are ISO 8601 in UTC with milliseconds; ids are UUIDs in lower case. Refusals are \`application/problem+json\` with a stable \`code\`.

A field that you may not read is absent; a record that you may not read is not found, and is in no list, count, search or expansion. This document describes what its reader may know of: ask for it with your session to see the rest.`

const recordReference: Schema = {
  type: "object",
  description: "A record that its writer may not read.",
  required: ["id"],
  properties: { id: { type: "string", format: "uuid" } },
}

function deploymentPaths(use: ReturnType<typeof problemAnswers>["use"]): Record<string, PathItem> {
  const get = (
    operationId: string,
    summary: string,
    content: Readonly<Record<string, { schema: Schema }>>,
    // On who reads it; then there is a copy of it to compare with.
    depends = false,
  ): PathItem => ({
    get: {
      operationId,
      tags: ["deployment"],
      summary,
      parameters: [],
      responses: {
        200: {
          description: "So it is.",
          headers: answerHeaders(...(depends ? ["ETag"] : [])),
          content,
        },
        ...(depends && {
          304: { description: "Your copy is still good.", headers: answerHeaders("ETag") },
        }),
        ...use([...everywhere, ...(depends ? badCredentials : [])]),
      },
      security: depends ? securityFor("none") : [{}],
    } satisfies DocumentedOperation,
  })
  const health: Schema = {
    type: "object",
    required: ["status"],
    properties: { status: { type: "string", const: "ok" } },
  }
  return {
    "/health": get("getHealth", "Whether the deployment serves", {
      "application/json": { schema: health },
    }),
    "/openapi.json": get(
      "getOpenApi",
      "This document, for its reader",
      { "application/json": { schema: { type: "object" } } },
      true,
    ),
    "/docs": get(
      "getDocs",
      "This document, to read",
      { "text/html": { schema: { type: "string" } } },
      true,
    ),
  }
}
