import { type ProblemCode, problems } from "../../platform/problem.ts"
import { type Answer, type Reference, type Schema, schemaRef } from "./document.ts"

/** What every route may answer with, whatever it does. */
export const everywhere = [
  "rate_limited",
  "internal",
  "misconfigured",
  "overloaded",
] as const satisfies readonly ProblemCode[]

/** What a credential that is not good is answered with, on every route that looks at credentials. */
export const badCredentials = [
  "token_invalid",
  "token_expired",
  "token_outdated",
] as const satisfies readonly ProblemCode[]

/** Where strangers may have to show that they are no programs. */
export const badCaptcha = [
  "captcha_required",
  "captcha_invalid",
  "captcha_unavailable",
] as const satisfies readonly ProblemCode[]

export const badBody = [
  "invalid_input",
  "payload_too_large",
  "unsupported_media_type",
] as const satisfies readonly ProblemCode[]

/** The schemas of `application/problem+json`. */
export const problemSchemas: Readonly<Record<"Problem" | "InputError", Schema>> = {
  Problem: {
    type: "object",
    description: "A refusal (RFC 9457). `code` is stable: programs decide by it.",
    required: ["type", "title", "status", "detail", "code", "requestId"],
    properties: {
      type: {
        type: "string",
        format: "uri-reference",
        description: "Where the code is explained.",
        examples: ["/docs#problem-not_found"],
      },
      title: { type: "string", description: "The same for every problem with this code." },
      status: { type: "integer", description: "The HTTP status." },
      detail: { type: "string", description: "What went wrong this time, for people." },
      code: { type: "string", enum: Object.keys(problems) },
      requestId: {
        type: "string",
        format: "uuid",
        description: "As in `X-Request-Id`: name it when you report a mistake.",
      },
      errors: {
        type: "array",
        items: schemaRef("InputError"),
        description: "What is wrong with which part of the input.",
      },
      index: { type: "integer", description: "Which of several operations was refused." },
    },
  },
  InputError: {
    type: "object",
    required: ["path", "code", "message"],
    properties: {
      path: {
        type: "string",
        description: "The part that is wrong: a field, or `query.…`, `headers.…`, `body`.",
        examples: ["title", "query.limit", "body"],
      },
      code: { type: "string", description: "Stable, for programs.", examples: ["too_big"] },
      message: { type: "string", description: "For people." },
    },
  },
}

/**
 * Collects the answers of refusals: operations that refuse with the same codes share one.
 * `use` answers the `responses` of an operation, by status; `all` are the components they point at.
 */
export function problemAnswers() {
  const all: Record<string, Answer> = {}
  const use = (codes: readonly ProblemCode[]): Record<string, Reference> => {
    const byStatus = Map.groupBy(new Set(codes), (code) => problems[code][0])
    return Object.fromEntries(
      [...byStatus].map(([status, group]) => {
        const name = group.toSorted().join(".")
        all[name] ??= answerOf(status, group)
        return [String(status), { $ref: `#/components/responses/${name}` }]
      }),
    )
  }
  return { use, all }
}

function answerOf(status: number, codes: readonly ProblemCode[]): Answer {
  const retry = status === 429 || status === 503
  return {
    description: codes.map((code) => `\`${code}\`: ${problems[code][1]}.`).join(" "),
    headers: {
      "X-Request-Id": { $ref: "#/components/headers/X-Request-Id" },
      ...(retry && { "Retry-After": { $ref: "#/components/headers/Retry-After" } }),
    },
    content: {
      "application/problem+json": {
        schema: {
          allOf: [
            schemaRef("Problem"),
            { properties: { status: { const: status }, code: { enum: [...codes].sort() } } },
          ],
        },
      },
    },
  }
}
