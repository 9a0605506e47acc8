import type { App } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { Problem } from "../../platform/problem.ts"
import { contentAnswer, headersOf, isKnown, type Wanted } from "./download.ts"
import { cleanName } from "./file-name.ts"
import { keyOf, type StoredFile } from "./files.ts"
import { assertHarmless } from "./harmless.ts"
import { type ImagePreset, type Variant, variantOf } from "./presets.ts"
import { claim, fail } from "./variant-claims.ts"
import { variantKey } from "./variant-keys.ts"

/*
 * Images in the sizes of presets: made when somebody first asks, then kept in R2 under `variants/<file>/<name>`. A row of
 * `file_variants` comes before each, and leaves after it (variants-sweep.ts).
 */

/** What the service decodes for everybody; drawings are none of them, and neither is what could be a page. */
const images = ["image/png", "image/jpeg", "image/gif", "image/webp"]

/** Of Cloudflare's service, and so what a bomb could do is done nowhere. */
const maxBytes = 20_000_000
const maxPixels = 100_000_000
const maxEdge = 12_000

/** The file as it is; with a preset, the image that it makes of it. @throws {Problem} as assertHarmless, and each of the two */
export async function fileAnswer(
  app: App,
  file: StoredFile,
  wanted: Wanted,
  preset: Required<ImagePreset> | null,
): Promise<Response> {
  assertHarmless(app.settings, file)
  return preset ? variantAnswer(app, file, preset, wanted) : contentAnswer(app, file, wanted)
}

/**
 * No further trip for what is kept, and one for what is first made. Parts are not answered: it is small.
 *
 * @throws {Problem} `unsupported_image`, `rate_limited`, `integration_failed`
 */
async function variantAnswer(
  app: App,
  file: StoredFile,
  preset: Required<ImagePreset>,
  wanted: Wanted,
): Promise<Response> {
  assertImage(file)
  const variant = variantOf(preset, file.type, wanted.headers.get("accept"))
  const etag = `"${file.sha256}-${variant.name}"`
  const named = { name: nameWith(file.name, variant.extension), type: variant.type }
  const common = headersOf(named, `W/${etag}`, wanted)
  const headers: Record<string, string> = {
    ...common,
    "accept-ranges": "none",
    ...(preset.format === "auto" && negotiated(common)),
  }
  if (isKnown(wanted.headers.get("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers })
  }
  const key = variantKey(file.id, variant.name)
  const image = (await findKept(app, key, wanted.method)) ?? (await make(app, file, variant))
  headers["content-type"] = variant.type
  headers["content-length"] = String(image.sizeBytes)
  return new Response(wanted.method === "HEAD" ? null : image.content, { headers })
}

/** Cloudflare's shared cache does not look at `Vary`: what depends on who asks is for their own alone. */
const negotiated = (common: Record<string, string>): Record<string, string> => ({
  vary: `${common.vary}, accept`,
  "cache-control": String(common["cache-control"]).replace("public", "private"),
})

/** Of what is said of it before anything is decoded. @throws {Problem} `unsupported_image` */
function assertImage({ type, sizeBytes, width, height }: StoredFile): void {
  if (!images.includes(type))
    throw unsupported(`It is ${type}, and not one of ${images.join(", ")}.`)
  if (sizeBytes > maxBytes) throw unsupported(`It has more than ${maxBytes} bytes.`)
  if (width === null || height === null) throw unsupported("It does not say what size it has.")
  if (Math.max(width, height) > maxEdge || width * height > maxPixels) {
    throw unsupported(
      `It has ${width} × ${height} pixels: ${maxPixels / 1_000_000} million at most, and ${maxEdge} to an edge.`,
    )
  }
}

const unsupported = (detail: string): Problem => new Problem("unsupported_image", detail)

const nameWith = (name: string, extension: string): string =>
  cleanName(`${name.replace(/\.[A-Za-z0-9]{1,16}$/, "")}.${extension}`)

interface Image {
  /** Null where only its size was asked for. */
  readonly content: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null
  readonly sizeBytes: number
}

async function findKept(app: App, key: string, method: string): Promise<Image | null> {
  if (method !== "HEAD") return app.blobs.open(key)
  const sizeBytes = await app.blobs.sizeOf(key)
  return sizeBytes === null ? null : { content: null, sizeBytes }
}

function make(app: App, file: StoredFile, variant: Variant): Promise<Image> {
  const made = makeAndKeep(app, file, variant)
  // It is paid for, so it is kept, also for somebody who no longer waits.
  app.waitUntil(made.catch(() => {}))
  return made
}

async function makeAndKeep(app: App, file: StoredFile, variant: Variant): Promise<Image> {
  const { images } = app
  await claim(app, file.id, variant.name)
  const source = await app.blobs.read(keyOf(file.id))
  // Between the row and its content, somebody deleted it.
  if (!source) throw new Problem("not_found")
  const made = await images.make(source, variant)
  const about = { file: file.id, variant: variant.name }
  if ("refusedAs" in made) {
    app.log("warn", "no image could be made of a file", { ...about, code: made.refusedAs })
    throw await fail(app, file.id, variant.name)
  }
  try {
    const content = new Response(made).body as ReadableStream<Uint8Array>
    await app.blobs.write(variantKey(file.id, variant.name), content)
  } catch (error) {
    // Whoever else made it at the same time has kept it, or the next will.
    app.log("warn", "a variant was not kept", { ...about, error: describeError(error) })
  }
  return { content: made, sizeBytes: made.byteLength }
}
