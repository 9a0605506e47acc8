import type { ZodType, z } from "zod"
import { type InputError, invalidInput, Problem } from "./problem.ts"

/** Largest JSON body, in bytes. */
export const maxBodyBytes = 1_048_576

/**
 * The JSON of a request body, whatever it is.
 *
 * @throws {Problem} `payload_too_large` before the rest is read, `unsupported_media_type`, or `invalid_input` for what is not JSON.
 */
export async function readJson(
  request: Request,
  mediaTypes = ["application/json"],
): Promise<unknown> {
  return parseJson(await readText(request, mediaTypes))
}

/** The text of a request body, checked for type, size and encoding. */
export async function readText(
  request: Request,
  mediaTypes = ["application/json"],
): Promise<string> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase()
  if (!type || !mediaTypes.includes(type)) {
    throw new Problem("unsupported_media_type", `Send ${mediaTypes.join(" or ")}.`)
  }
  const bytes = await readBytes(request)
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    throw invalidInput({ path: "body", code: "encoding", message: "The body is not UTF-8." })
  }
}

/**
 * A request body of any kind, byte for byte.
 *
 * @throws {Problem} `payload_too_large` before the rest is read.
 */
export async function readBytes(request: Request): Promise<Uint8Array> {
  const declared = request.headers.get("content-length")
  if (Number(declared) > maxBodyBytes) throw tooLarge()
  if (declared === null) return readCounted(request)
  return new Uint8Array(await request.arrayBuffer())
}

const tooLarge = () =>
  new Problem("payload_too_large", `A body may have ${maxBodyBytes} bytes at most.`)

/** Without a declared length the body is counted while it arrives. */
async function readCounted(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > maxBodyBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return concatenate(chunks, size)
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalidInput({
      path: "body",
      code: "json",
      message: `The body is not JSON: ${(error as Error).message}`,
    })
  }
}

function concatenate(chunks: Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

/** `value` as the schema sees it. @throws {Problem} `invalid_input` with one error for each issue. */
export function parseWith<Schema extends ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalidInput(...parsed.error.issues.flatMap(describeIssue))
}

/** One Zod issue as errors of ours: an unknown key is an error of its own, at its own path. */
export function describeIssue(issue: z.core.$ZodIssue): InputError[] {
  const at = issue.path.map(String)
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...at, key].join("."),
      code: "unknown_field",
      message: `There is no field "${key}".`,
    }))
  }
  const path = at.join(".") || "body"
  if (issue.code === "invalid_type" && issue.message.endsWith("received undefined")) {
    return [{ path, code: "required", message: `${path} is required.` }]
  }
  const custom = issue.code === "custom" ? (issue.params?.code as string | undefined) : undefined
  return [{ path, code: custom ?? issue.code, message: `${path}: ${issue.message}` }]
}
