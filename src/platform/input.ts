import { zValidator } from "@hono/zod-validator"
import type { MiddlewareHandler } from "hono"
import type { ZodType, z } from "zod"
import type { Http } from "./http.ts"
import { invalidInput } from "./problem.ts"
import { describeIssue, parseWith, readJson } from "./validate.ts"

/**
 * `c.req.valid("json")`, as @hono/zod-validator would give it, read in our way: that middleware reads a body of any size,
 * takes a missing body for `{}`, and answers malformed JSON with a text of its own.
 */
export const jsonBody =
  <Schema extends ZodType>(
    schema: Schema,
    mediaTypes?: string[],
  ): MiddlewareHandler<
    Http,
    string,
    { in: { json: z.input<Schema> }; out: { json: z.output<Schema> } }
  > =>
  async (c, next) => {
    const body = parseWith(schema, await readJson(c.req.raw, mediaTypes))
    c.req.addValidatedData("json", body as object)
    await next()
  }

/** `c.req.valid("query")`, with problems of ours whose paths start with `query`. */
export const queryOf = <Schema extends ZodType>(schema: Schema) =>
  zValidator("query", schema, (result) => {
    if (result.success) return
    const errors = result.error.issues.flatMap((issue) => describeIssue(issue))
    throw invalidInput(...errors.map((error) => ({ ...error, path: `query.${error.path}` })))
  })
