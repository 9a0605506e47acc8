import { type Html, html } from "../../platform/html.ts"
import type { Located, OpenApi, Schema } from "./document.ts"
import { inline } from "./prose.ts"
import { resolve } from "./sample.ts"

/** The fields of a collection: of what it answers, or, where nobody reads, of what it takes. */
export function fieldTable(
  document: OpenApi,
  collection: string,
  operations: readonly Located[],
): Html | null {
  const schemaOf = (method: string, path: string) =>
    operations.find((located) => located.method === method && located.path === path)?.operation
  const get = schemaOf("get", `/records/${collection}/{id}`)
  const post = schemaOf("post", `/records/${collection}`)
  const answer = get?.responses["200"]
  const answered =
    answer && "content" in answer ? answer.content?.["application/json"]?.schema : undefined
  const taken = post?.requestBody?.content["application/json"]?.schema
  const input = taken && resolve<Schema>(document, taken)
  const shown = answered ? resolve<Schema>(document, answered) : input
  return shown ? propertyTable(document, shown, input ?? null) : null
}

/** `input` tells what is demanded and filled in on the way in: the schema itself, or that of a create; null for none. */
export function propertyTable(document: OpenApi, schema: Schema, input: Schema | null): Html {
  const properties = Object.entries(schema.properties ?? {})
  const demanded = new Set(input?.required)
  return html`<div class="wide"><table class="fields">
<thead><tr><th>Field</th><th>Type</th><th>Notes</th></tr></thead>
<tbody>${properties.map(([name, given]) => {
    const property = resolve(document, given)
    const taken = input?.properties?.[name] ?? property
    const notes = [property.description, limitsOf(property), fallbackOf(taken)]
    const marks = property.readOnly
      ? html` <span class="mark">read only</span>`
      : demanded.has(name) && html` <span class="mark required">required</span>`
    return html`<tr><td><code>${name}</code>${marks}</td><td>${typeOf(document, given)}</td><td>${inline(notes.filter(Boolean).join(" "))}</td></tr>`
  })}</tbody></table></div>`
}

function limitsOf({
  minLength,
  maxLength,
  minimum,
  maximum,
  pattern,
  minItems,
  maxItems,
}: Schema): string {
  const parts = [
    range("Characters", minLength, maxLength),
    range("Value", minimum, maximum),
    range("Items", minItems, maxItems),
    pattern && pattern.length <= 60 ? `Pattern: \`${pattern}\`.` : "",
  ]
  return parts.filter(Boolean).join(" ")
}

function range(what: string, least: number | undefined, most: number | undefined): string {
  const from = least === undefined || least <= Number.MIN_SAFE_INTEGER ? null : number(least)
  const to = most === undefined || most >= Number.MAX_SAFE_INTEGER ? null : number(most)
  if (from !== null && to !== null) return `${what}: ${from} to ${to}.`
  if (from !== null) return `${what}: ${from} or more.`
  return to !== null ? `${what}: at most ${to}.` : ""
}

const number = (value: number): string => value.toLocaleString("en-US")

const fallbackOf = (schema: Schema): string => {
  const computed = /When absent: `[^`]+`\./.exec(schema.description ?? "")?.[0]
  return schema.default !== undefined
    ? `When absent: \`${JSON.stringify(schema.default)}\`.`
    : (computed ?? "")
}

/** The type in a word or two; a schema that has a name is named. */
export function typeOf(document: OpenApi, schema: Schema): Html {
  const name = schema.$ref?.split("/").at(-1)
  if (name !== undefined) return html`<span class="type">${name}</span>`
  if (schema.anyOf) {
    return html`${schema.anyOf.map((part, i) => [i > 0 && " or ", typeOf(document, part)])}`
  }
  if (schema.enum) {
    return html`${schema.enum.map((value, i) => [i > 0 && " ", html`<code>${JSON.stringify(value)}</code>`])}`
  }
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? ["any"])
  const words = types.map((type) => (type === "string" ? (schema.format ?? "text") : type))
  if (types.includes("array") && schema.items) {
    return html`<span class="type">list of</span> ${typeOf(document, schema.items)}${types.includes("null") && " or null"}`
  }
  return html`<span class="type">${words.join(" or ")}</span>`
}
