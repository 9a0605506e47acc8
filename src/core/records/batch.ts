import * as z from "zod"
import { isId } from "../../platform/ids.ts"
import { atIndex, invalidInput, Problem } from "../../platform/problem.ts"
import { describeIssue } from "../../platform/validate.ts"
import type { Draft } from "./draft.ts"
import { expectedVersions, onlyOf } from "./etag.ts"
import { parseCreate, parseNewId, parsePatch, parseReplacement } from "./input.ts"
import type { LinkedCollections } from "./link.ts"
import { refuseAnonymous } from "./plan.ts"
import { maxJsonDepth } from "./validators.ts"
import type { View } from "./view.ts"

/** Each costs D1 some six statements; an invocation has a thousand. */
export const maxOperations = 100

const methods = ["POST", "PUT", "PATCH", "DELETE"] as const
type Method = (typeof methods)[number]

const operation = z.strictObject({
  method: z.enum(methods, { error: "a batch writes: POST, PUT, PATCH or DELETE" }).meta({
    description: "A batch writes; what it wrote is in its results.",
  }),
  path: z
    .string()
    .max(1_000)
    .meta({
      description:
        "`/records/{collection}`, or `/records/{collection}/{id}`, where the id may be `$0.id`.",
      examples: ["/records/projects", "/records/projects/$0.id"],
    }),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta({ description: "`If-Match`, `If-None-Match` and `Content-Type`." }),
  body: z.unknown().optional().meta({
    description:
      "As the method has it. A text that is `$0.id` and nothing else becomes the id of the operation at that position, which has to stand before; `$$0.id` becomes the text `$0.id`.",
  }),
})
type Asked = z.output<typeof operation>

export const batch = z
  .strictObject({
    operations: z
      .array(operation)
      .min(1)
      .max(maxOperations)
      .meta({
        examples: [
          [
            { method: "POST", path: "/records/projects", body: { name: "New" } },
            { method: "PATCH", path: "/records/projects/$0.id", body: { name: "Newer" } },
          ],
        ],
      }),
  })
  .meta({ description: "Writes that are all made, or none of them." })

export const batchResults = z
  .object({
    results: z.array(
      z.object({
        status: z.int(),
        headers: z.record(z.string(), z.string()),
        body: z.unknown().meta({ description: "The record as this operation left it, or null." }),
      }),
    ),
  })
  .meta({ description: "What each operation would have been answered." })

/** As far as the operations could be read: `refusal` is what the first one that could not is refused with. */
export interface ParsedBatch {
  readonly drafts: readonly Draft[]
  readonly refusal: unknown
}

/**
 * The operations of a batch as drafts, ids of earlier ones filled in.
 *
 * @throws {Problem} `invalid_input` when the batch as a whole has not the shape of one.
 */
export function parseBatch(
  view: View,
  collections: LinkedCollections,
  newId: () => string,
  body: unknown,
): ParsedBatch {
  const parsed = batch.safeParse(body)
  if (!parsed.success) throw shapeProblem(parsed.error.issues)
  const drafts: Draft[] = []
  for (const [index, asked] of parsed.data.operations.entries()) {
    try {
      drafts.push(parseOperation(view, collections, newId, asked, drafts))
    } catch (error) {
      return { drafts, refusal: atIndex(error, index) }
    }
  }
  return { drafts, refusal: null }
}

function shapeProblem(issues: readonly z.core.$ZodIssue[]): Problem {
  const problem = invalidInput(...issues.flatMap((issue) => describeIssue(issue)))
  const index = issues.map(({ path }) => path[1]).find((at) => typeof at === "number")
  return index === undefined ? problem : (atIndex(problem, index) as Problem)
}

function parseOperation(
  view: View,
  collections: LinkedCollections,
  newId: () => string,
  asked: Asked,
  before: readonly Draft[],
): Draft {
  const { method } = asked
  const headers = headersOf(asked)
  const [, root, name = "", id, ...more] = asked.path.split("/")
  if (root !== "records" || more.length > 0 || !asked.path.startsWith("/")) {
    throw wrong(
      "path",
      "path",
      "A batch writes records: /records/{collection} or /records/{collection}/{id}.",
    )
  }
  if (asked.path.includes("?")) {
    throw wrong("path", "unknown_parameter", "A path in a batch takes no parameters.")
  }
  const collection = collections.get(name)
  if (!collection) throw new Problem("not_found", "There is no such collection.")
  refuseAnonymous(view, actions[method], collection)
  if ((method === "POST") !== (id === undefined)) {
    const allowed = id === undefined ? "POST" : "PATCH, PUT, DELETE"
    throw new Problem("method_not_allowed", `${method} is not allowed here: ${allowed}.`)
  }
  const body = filledIn(asked.body, before)
  const ifMatch = headers.get("if-match")
  if (method === "POST") {
    return { action: "create", collection, id: newId(), input: parseCreate(view, collection, body) }
  }
  const target = idOf(method, filledIn(id, before) as string)
  const expected = expectedVersions(ifMatch)
  if (method === "PATCH") {
    const input = parsePatch(view, collection, target, body)
    return { action: "update", collection, id: target, input, expected }
  }
  if (method === "DELETE") {
    if (asked.body !== undefined) throw wrong("body", "unexpected", "DELETE takes no body.")
    return { action: "delete", collection, id: target, expected }
  }
  const input = parseReplacement(view, collection, target, body)
  const only = onlyOf(ifMatch, headers.get("if-none-match"))
  return { action: "put", collection, id: target, input, expected, only }
}

const actions = { POST: "create", PUT: "put", PATCH: "update", DELETE: "delete" } as const

const wrong = (path: string, code: string, message: string): Problem =>
  invalidInput({ path, code, message })

/** An id that cannot be one is an id of nothing, except where it is chosen. */
function idOf(method: Method, id: string): string {
  if (method === "PUT") return parseNewId(id)
  if (!isId(id)) throw new Problem("not_found")
  return id
}

/** Those that mean something to a method. The key of a batch belongs to all of it, and stands in the request's own headers. */
const knownHeaders: Readonly<Record<Method, readonly string[]>> = {
  POST: ["content-type"],
  PATCH: ["content-type", "if-match"],
  PUT: ["content-type", "if-match", "if-none-match"],
  DELETE: ["if-match"],
}

function headersOf({ method, headers = {} }: Asked): Map<string, string> {
  const found = new Map<string, string>()
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    const path = `headers.${lower}`
    if (!knownHeaders[method].includes(lower)) {
      throw wrong(path, "unknown_header", `${method} in a batch takes no header "${lower}".`)
    }
    if (found.has(lower)) throw wrong(path, "repeated", `"${lower}" is given twice.`)
    found.set(lower, value)
  }
  const type = found.get("content-type")?.split(";")[0]?.trim().toLowerCase()
  const json = type === "application/json"
  if (
    type !== undefined &&
    !json &&
    !(method === "PATCH" && type === "application/merge-patch+json")
  ) {
    throw new Problem("unsupported_media_type", "Bodies in a batch are JSON.")
  }
  return found
}

/** `$0.id`, with a further `$` before it for each time that it is to be taken literally. */
const reference = /^(\$+)(\d{1,4})\.id$/

/**
 * The value with ids in place of references. Only whole texts are references, never names of members.
 *
 * @throws {Problem} `invalid_input` for a reference to an operation that does not stand before.
 */
function filledIn(value: unknown, before: readonly Draft[], depth = 0): unknown {
  if (typeof value === "string") {
    const found = reference.exec(value)
    if (!found) return value
    if (found[1] !== "$") return value.slice(1)
    const id = before[Number(found[2])]?.id
    if (id) return id
    throw wrong("body", "reference", `"${value}" names no operation before this one.`)
  }
  // What is nested deeper is no value of any field, and is refused as that.
  if (typeof value !== "object" || value === null || depth > maxJsonDepth) return value
  const within = (part: unknown) => filledIn(part, before, depth + 1)
  if (Array.isArray(value)) return value.map(within)
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, within(part)]))
}
