import type { LinkedCollection } from "../records/link.ts"
import { eventVersion, type Kind, kinds, toldOf, typeName } from "../webhooks/event-types.ts"
import type { OpenApi, Schema, WebhookItem } from "./document.ts"
import { schemaRef } from "./document.ts"
import type { CollectionNames } from "./names.ts"
import { isOpen, type Reader } from "./reader.ts"
import { sampleOf } from "./sample.ts"

/** The events that a reader may hear of: the section `webhooks` of OpenAPI 3.1. */
export function webhookItems(
  reader: Reader,
  names: ReadonlyMap<string, CollectionNames>,
): Record<string, WebhookItem> {
  const items: Record<string, WebhookItem> = {}
  for (const collection of toldOf(reader.collections)) {
    const named = names.get(collection.name)
    const readable =
      isOpen(reader, collection, "read") && reader.view.readRule(collection) !== false
    if (!named || !readable) continue
    for (const kind of kinds) {
      items[typeName(collection.name, kind)] = itemOf(collection, kind, named)
    }
  }
  return items
}

const words: Readonly<Record<Kind, string>> = {
  created: "A record was made",
  updated: "A record was changed",
  deleted: "A record was deleted",
}

function itemOf({ name }: LinkedCollection, kind: Kind, { one }: CollectionNames): WebhookItem {
  const type = typeName(name, kind)
  return {
    post: {
      tags: ["webhooks"],
      summary: `${words[kind]}: \`${type}\``,
      description: `Version ${eventVersion}. Signed as Standard Webhooks 1.0 says: \`webhook-id\` is the same at each attempt, \`webhook-signature\` is over \`id.timestamp.body\`.`,
      requestBody: {
        required: true,
        content: { "application/json": { schema: payloadSchema(name, kind, type, one) } },
      },
      responses: {
        "2XX": { description: "It is taken. Anything else is tried again." },
        410: { description: "The receiver is gone: nothing is sent there any more." },
      },
    },
  }
}

function payloadSchema(name: string, kind: Kind, type: string, one: string): Schema {
  const instant: Schema = { type: "string", format: "date-time" }
  const text: Schema = { type: "string" }
  return object({
    type: { type: "string", const: type },
    timestamp: { ...instant, description: "When it happened." },
    data: object({
      collection: { type: "string", const: name },
      id: { type: "string", format: "uuid" },
      version: { type: "integer", minimum: 1 },
      actor: {
        description: "Who did it; null for the system and for anonymous callers.",
        anyOf: [object({ id: text, name: { type: ["string", "null"] } }), { type: "null" }],
      },
      record:
        kind === "deleted"
          ? { type: "null", description: "What was deleted is not told." }
          : schemaRef(`Past${one}`),
      changed: {
        type: ["array", "null"],
        items: text,
        description: "Fields that it changed; null where what was before may not be read.",
      },
    }),
  })
}

const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: "object",
  required: Object.keys(properties),
  properties,
})

/** `GET /webhooks/events`: each type with a schema that stands by itself, and an example. */
export const eventCatalogue = (document: OpenApi) =>
  Object.entries(document.webhooks).map(([type, { post }]) => {
    const schema = standingAlone(
      document,
      post.requestBody.content["application/json"]?.schema as Schema,
    )
    return {
      type,
      version: eventVersion,
      description: post.summary,
      schema: { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema },
      example: exampleOf(document, schema),
    }
  })

/** With what it refers to in its place. */
function standingAlone(document: OpenApi, schema: Schema): Schema {
  const text = JSON.stringify(schema, (_, value: unknown) => {
    if (typeof value !== "object" || value === null || !("$ref" in value)) return value
    return document.components.schemas[String(value.$ref).split("/").at(-1) as string]
  })
  return JSON.parse(text) as Schema
}

function exampleOf(document: OpenApi, schema: Schema): unknown {
  if (schema.anyOf?.[0]) return exampleOf(document, schema.anyOf[0])
  if (schema.type !== "object" || !schema.properties) {
    const types = schema.type ?? "null"
    const nullable = typeof types === "string" ? types === "null" : types.includes("array")
    return nullable ? null : sampleOf(document, schema)
  }
  // What has to look a certain way cannot be guessed.
  return Object.fromEntries(
    Object.entries(schema.properties)
      .filter(([name, { pattern }]) => !pattern || schema.required?.includes(name))
      .map(([name, property]) => [name, exampleOf(document, property)]),
  )
}
