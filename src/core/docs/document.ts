/*
 * The parts of OpenAPI 3.1 that we write, and that the readable reference is made from.
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */

/** JSON Schema, draft 2020-12. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly readOnly?: boolean
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly minimum?: number
  readonly maximum?: number
}

export interface Reference {
  readonly $ref: string
}

export interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly description: string
  readonly required?: boolean
  /** `false`: several values are one text with commas. */
  readonly explode?: boolean
  readonly style?: "form"
  readonly schema: Schema
  readonly example?: unknown
}

export interface Header {
  readonly description: string
  readonly schema: Schema
}

export type Content = Readonly<
  Record<string, { readonly schema: Schema; readonly example?: unknown }>
>

export interface Answer {
  readonly description: string
  readonly headers?: Readonly<Record<string, Header | Reference>>
  readonly content?: Content
}

export interface DocumentedOperation {
  readonly operationId: string
  readonly tags: readonly [string]
  readonly summary: string
  readonly description?: string
  readonly parameters: readonly (Parameter | Reference)[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, Answer | Reference>>
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
}

export const methods = ["get", "post", "put", "patch", "delete"] as const
export type Method = (typeof methods)[number]

export type PathItem = Readonly<Partial<Record<Method, DocumentedOperation>>>

/** What is sent to others, and what they answer. */
export interface WebhookItem {
  readonly post: Pick<DocumentedOperation, "tags" | "summary" | "description" | "responses"> & {
    readonly requestBody: { readonly required: boolean; readonly content: Content }
  }
}

export interface OpenApi {
  readonly openapi: "3.1.1"
  readonly info: {
    readonly title: string
    readonly version: string
    readonly summary: string
    readonly description: string
  }
  readonly externalDocs: { readonly url: string; readonly description: string }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly webhooks: Readonly<Record<string, WebhookItem>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly responses: Readonly<Record<string, Answer>>
    readonly parameters: Readonly<Record<string, Parameter>>
    readonly headers: Readonly<Record<string, Header>>
    readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, string>>>>
  }
}

/** An operation with its address. */
export interface Located {
  readonly path: string
  readonly method: Method
  readonly operation: DocumentedOperation
}

export const locate = (paths: OpenApi["paths"]): Located[] =>
  Object.entries(paths).flatMap(([path, item]: [string, PathItem]) =>
    Object.entries(item).map(([method, operation]) => ({
      path,
      method: method as Method,
      operation,
    })),
  )

/** A pointer to a schema among the components. */
export const schemaRef = (name: string): Reference => ({ $ref: `#/components/schemas/${name}` })
