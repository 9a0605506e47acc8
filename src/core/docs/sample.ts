import type {
  DocumentedOperation,
  Method,
  OpenApi,
  Parameter,
  Reference,
  Schema,
} from "./document.ts"

/** What a `$ref` of this document points at. */
export function resolve<Thing extends object>(document: OpenApi, thing: Thing | Reference): Thing {
  if (!("$ref" in thing) || typeof thing.$ref !== "string") return thing as Thing
  let found: unknown = document
  for (const step of thing.$ref.split("/").slice(1)) {
    found = (found as Readonly<Record<string, unknown>>)[step]
  }
  return found as Thing
}

const sampleId = "019aa2c5-7d00-7000-8000-000000000001"

/** A value that the schema would let pass, as far as it can be guessed: for examples. */
export function sampleOf(document: OpenApi, given: Schema): unknown {
  const schema = resolve(document, given)
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  if (schema.examples) return schema.examples[0]
  if (schema.default !== undefined) return schema.default
  const type = typeof schema.type === "string" ? schema.type : schema.type?.[0]
  switch (type) {
    case "string":
      return sampleText(schema)
    case "integer":
    case "number":
      return Math.min(Math.max(3, schema.minimum ?? 3), schema.maximum ?? 3)
    case "boolean":
      return true
    case "array":
      return schema.minItems ? [sampleOf(document, schema.items ?? {})] : []
    case "object":
      return sampleObject(document, schema)
    default:
      return {}
  }
}

function sampleText({ format, minLength = 0, maxLength = 20 }: Schema): string {
  switch (format) {
    case "uuid":
      return sampleId
    case "date":
      return "2026-11-21"
    case "date-time":
      return "2026-11-21T09:30:00.000Z"
    case "email":
      return "ann@example.com"
    case "uri":
      return "https://example.com/"
    default:
      return "Something".padEnd(minLength, "!").slice(0, maxLength)
  }
}

/** All that is required, or else the first fields that can be guessed. */
function sampleObject(document: OpenApi, { properties = {}, required = [] }: Schema) {
  const writable = Object.entries(properties).filter(([, property]) => !property.readOnly)
  const plain = writable.filter(
    ([name, { pattern, format, type }]) =>
      !required.includes(name) && !pattern && format !== "uuid" && type !== undefined,
  )
  const chosen = [...writable.filter(([name]) => required.includes(name)), ...plain.slice(0, 2)]
  return Object.fromEntries(
    chosen
      .slice(0, Math.max(2, required.length))
      .map(([name, property]) => [name, sampleOf(document, property)]),
  )
}

/** The operation as a line for the shell. */
export function curlOf(
  document: OpenApi,
  origin: string,
  method: Method,
  path: string,
  operation: DocumentedOperation,
): string {
  const parameters = operation.parameters.map((parameter) =>
    resolve<Parameter>(document, parameter),
  )
  const query = parameters.filter(
    (parameter) => parameter.in === "query" && parameter.example !== undefined,
  )
  const asked = query
    .slice(0, 2)
    .map(({ name, example }) => `${name}=${encodeURIComponent(String(example))}`)
  const address =
    origin + path.replace(/\{(\w+)\}/g, sampleId) + (asked.length ? `?${asked.join("&")}` : "")
  const needsSession = operation.security.every((way) => Object.keys(way).length > 0)
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
  return [
    `curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${quote(address)}`,
    ...(needsSession ? [`-H "Authorization: Bearer $TOKEN"`] : []),
    ...(type && content
      ? [
          `-H ${quote(`Content-Type: ${type}`)}`,
          `-d ${quote(JSON.stringify(sampleOf(document, content.schema)))}`,
        ]
      : []),
  ].join(" \\\n  ")
}

/** Safe in a shell, whatever it holds. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
