import type { Located, OpenApi, Parameter, Schema } from "../../../src/core/docs/document.ts"
import { resolve } from "../../../src/core/docs/sample.ts"
import { type ProblemCode, problems } from "../../../src/platform/problem.ts"
import { complaints } from "./check-schema.ts"
import type { Draft } from "./sound.ts"

/** What is wrong with a success, by the document of whoever asked. The draft has its ids filled in. */
export function successComplaints(
  document: OpenApi,
  { path, method, operation }: Located,
  draft: Draft,
  response: Response,
  text: string,
): string[] {
  if (draft.method !== method.toUpperCase() || !isSamePath(path, draft.path)) return []
  const own = document.paths[path]?.[method]
  const accepted = response.status < 300 && own ? inputComplaints(document, own, draft) : []
  if (accepted.length) return accepted.map((complaint) => `accepted although ${complaint}`)
  const answer = own?.responses[response.status]
  if (!answer) return [`${response.status} is not documented for this asker`]
  const { content } = resolve<{ content?: Record<string, { schema: Schema }> }>(document, answer)
  const type = response.headers.get("content-type")?.split(";")[0]
  if (!content) return text === "" ? [] : ["a body where none is documented"]
  const schema = content[type ?? ""]?.schema
  if (!schema) return [`the type ${type} is not documented`]
  if (type !== "application/json") return []
  if (operation.operationId === "getOpenApi") return []
  if (/\\u0000|\\ud[89a-f]/.test(text)) return ["holds NUL or half of a surrogate pair"]
  const partial = /[?&]fields=/.test(draft.path)
  const answered = JSON.parse(text) as Record<string, unknown>
  return [
    ...complaints(document, schema, answered, { required: !partial }),
    ...changedOnTheWay(document, own, draft, answered),
  ]
}

/** Texts and numbers of a record come back as they were sent, to the last bit. */
function changedOnTheWay(
  document: OpenApi,
  { requestBody }: Located["operation"],
  draft: Draft,
  answered: Readonly<Record<string, unknown>>,
): string[] {
  const given = jsonSchema(requestBody)
  // A restoration names a version, and makes the next one.
  const writes = draft.path.startsWith("/records/") && !draft.path.includes("/restorations")
  if (!given || !draft.body || !writes) return []
  const { properties = {} } = resolve<Schema>(document, given)
  return Object.entries(parseBody(draft.body)).flatMap(([name, value]) => {
    // The hook of the fixture `orders` derives it, whatever is sent.
    const property = name === "total" ? undefined : properties[name]
    const plain = ["string", "number", "boolean"].includes(typeof value)
    if (!plain || !property || property.readOnly || property.format === "date-time") return []
    if (!(name in answered) || answered[name] === value) return []
    return [`${name} is not what was sent, but ${JSON.stringify(answered[name])?.slice(0, 100)}`]
  })
}

/** What a body has to be, where it is JSON. */
const jsonSchema = (body: Located["operation"]["requestBody"]): Schema | undefined =>
  Object.entries(body?.content ?? {}).find(([type]) => /[/+]json$/.test(type))?.[1].schema

/** As the server reads it: a byte order mark is passed over. */
const parseBody = (body: string): Record<string, unknown> =>
  JSON.parse(body.replace(/^\ufeff/, "")) as Record<string, unknown>

/** What the document would have had against the request. */
function inputComplaints(
  document: OpenApi,
  { parameters, requestBody }: Located["operation"],
  draft: Draft,
): string[] {
  const known = parameters.map((one) => resolve<Parameter>(document, one))
  const query = new URL(draft.path, "http://x").searchParams
  const schema = jsonSchema(requestBody)
  const strict = draft.path.startsWith("/records/")
  return [
    ...[...query].flatMap(([name, value]) => {
      const parameter = known.find((one) => one.in === "query" && one.name === name)
      if (!parameter) return strict ? [`there is no parameter ${name}`] : []
      const { schema: expected } = parameter
      const sentValue =
        expected.type === "integer"
          ? Number(value)
          : expected.type === "array"
            ? value.split(",")
            : value
      // Empty is as good as absent, except where a number is asked for.
      if (value === "" && expected.type !== "integer") return []
      return complaints(
        document,
        expected,
        sentValue,
        { required: true, input: true },
        `query.${name}`,
      )
    }),
    ...(strict && [...query.keys()].length > new Set(query.keys()).size
      ? ["a parameter is given twice"]
      : []),
    ...(schema && draft.body?.trim()
      ? complaints(document, schema, parseBody(draft.body), { required: true, input: true }, "body")
      : []),
  ]
}

/** Whether what was asked is the documented path, and not one that a mutation made of it. */
export const isSamePath = (path: string, asked: string): boolean =>
  new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+").replaceAll(".", "\\.")}$`).test(
    asked.split(/[?#]/)[0] as string,
  )

const problemKeys = ["type", "title", "status", "detail", "code", "requestId"]

/** What is wrong with a refusal. */
export function problemComplaints(
  { path, method, operation }: Located,
  draft: Draft,
  response: Response,
  text: string,
): string[] {
  const wrong: string[] = []
  if (response.status >= 500) wrong.push("a failure of ours")
  if (draft.method === "HEAD") return wrong
  if (response.headers.get("content-type") !== "application/problem+json") {
    return [...wrong, "is no application/problem+json"]
  }
  const problem = JSON.parse(text) as Record<string, unknown>
  const [status, title] = problems[problem.code as ProblemCode] ?? []
  for (const key of problemKeys) if (!problem[key]) wrong.push(`has no ${key}`)
  if (status !== response.status || problem.status !== status)
    wrong.push("the status is not that of the code")
  if (title !== problem.title) wrong.push("the title is not that of the code")
  if (problem.type !== `/docs#problem-${problem.code}`) wrong.push("the type leads nowhere")
  if (problem.requestId !== response.headers.get("x-request-id")) wrong.push("another request id")
  if (response.headers.get("cache-control") !== "private, no-store") wrong.push("may be cached")
  if (response.status === 400 && !ofTheHook(problem)) {
    const errors = problem.errors as
      | { path?: unknown; code?: unknown; message?: unknown }[]
      | undefined
    if (!errors?.length) wrong.push("names nothing")
    for (const error of errors ?? []) {
      if (![error.path, error.code, error.message].every((part) => typeof part === "string")) {
        wrong.push("an error without path, code or message")
      }
    }
  }
  if (draft.method !== method.toUpperCase() || !isSamePath(path, draft.path)) return wrong
  if (!operation.responses[response.status]) wrong.push(`${response.status} is not documented`)
  else if (!documentedCodes(operation, response.status).includes(problem.code as string)) {
    wrong.push(`${problem.code} is not documented`)
  }
  return wrong
}

/** `beforeWrite` of the fixture `orders` refuses in its own words. */
const ofTheHook = (problem: Record<string, unknown>): boolean =>
  problem.detail === "At most 100 at a time."

const documentedCodes = (operation: Located["operation"], status: number): string[] => {
  const answer = operation.responses[status] as { $ref?: string } | undefined
  return answer?.$ref?.split("/").at(-1)?.split(".") ?? []
}
