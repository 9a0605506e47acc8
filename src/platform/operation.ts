import type { ZodType } from "zod"
import type { ProblemCode } from "./problem.ts"

/** One route, as the OpenAPI document is to describe it. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete"
  /** With parameters in braces. */
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  /** Who may call it: anybody, anybody with or without a session, anyone signed in, administrators of the deployment. */
  readonly auth: "none" | "either" | "session" | "administrator"
  readonly pathParameters?: Readonly<Record<string, string>>
  readonly query?: ZodType
  /** Request headers that mean something here, as src/core/docs/headers.ts describes them. */
  readonly headers?: readonly (
    | "Idempotency-Key"
    | "Prefer"
    | "Tus-Resumable"
    | `Upload-${"Length" | "Offset" | "Metadata" | "Checksum"}`
  )[]
  /** True where strangers may have to show that they are no programs. */
  readonly captcha?: boolean
  readonly body?: {
    readonly schema: ZodType
    readonly required: boolean
    readonly mediaTypes: readonly string[]
    /** What it has as `multipart/form-data`, where it may be a form. */
    readonly form?: ZodType
  }
  readonly responses: Readonly<
    Record<
      number,
      {
        description: string
        /** Of the JSON that it answers. */
        schema?: ZodType
        /** Other media types that it answers, as text. */
        texts?: readonly string[]
        headers?: Readonly<Record<string, string>>
      }
    >
  >
  /** Refusals beyond those that every route may give (`rate_limited`, `internal`, `overloaded`). */
  readonly problems: readonly ProblemCode[]
}

/** What a module tells of its routes: the reference shows them under its tag. */
export interface DocumentedModule {
  readonly tag: string
  readonly description: string
  readonly operations: readonly Operation[]
  /** Zod schemas by name, as `import * as shapes from "./schema.ts"` gives them: those of objects become components. */
  readonly shapes: Readonly<Record<string, unknown>>
}

export const jsonBody = (schema: ZodType, required = true) => ({
  schema,
  required,
  mediaTypes: ["application/json"],
})

export const patchBody = (schema: ZodType) => ({
  schema,
  required: true,
  mediaTypes: ["application/merge-patch+json", "application/json"],
})

/** Codes with which a body that cannot be read is refused. */
export const badBody = ["invalid_input", "payload_too_large", "unsupported_media_type"] as const

/** Codes with which a credential that is missing or not good is refused, where any session does. */
export const badAnySession = [
  "unauthenticated",
  "token_invalid",
  "token_expired",
  "token_outdated",
] as const

/** The same, where it has to be that of an account. */
export const badSession = [...badAnySession, "account_required"] as const
