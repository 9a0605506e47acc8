import { Problem } from "./problem.ts"

/** Types that images can be made in. */
export type ImageType = "image/jpeg" | "image/png" | "image/webp"

/** What is to be made of an image. */
export interface ImageDraft {
  /** In pixels. */
  readonly width: number
  readonly height: number
  /** `cover` fills width and height, and crops what is beyond; `scale-down` keeps all of it within them, and enlarges nothing. */
  readonly fit: "scale-down" | "cover"
  readonly type: ImageType
}

/** Bytes, or what speaks against the image itself, by the codes of Cloudflare's service. */
export type MadeImage = Uint8Array<ArrayBuffer> | { readonly refusedAs: number }

/** Makes images of images, outside of this isolate: what it decodes can neither fill its memory nor use up its time. */
export interface Images {
  /**
   * A still image, of the first frame where it moves: turned as EXIF says, and without what EXIF says else.
   *
   * @param content 20 MB at most
   * @throws {Problem} `integration_failed` when that says nothing about the image, as when a quota is used up
   */
  make(content: ReadableStream<Uint8Array>, draft: ImageDraft): Promise<MadeImage>
}

/**
 * Cloudflare's binding, which wrangler and its local runtime stand in for by a codec of their own, without a network.
 *
 * @throws {Problem} `misconfigured` in a deployment without it.
 * @see https://developers.cloudflare.com/images/optimization/binding/
 */
export function openImages(env: object, binding: string): Images {
  const images = (env as Record<string, ImagesBinding | undefined>)[binding]
  if (!images) {
    throw new Problem("misconfigured", { cause: new Error(`no Images binding ${binding}`) })
  }
  return {
    async make(content, { width, height, fit, type }) {
      try {
        const result = await images
          .input(content)
          .transform({ width, height, fit })
          .output({ format: type, anim: false })
        const made = result.contentType()
        if (made !== type) throw new Error(`Images made ${made} of what was to be ${type}`)
        return new Uint8Array(await new Response(result.image()).arrayBuffer())
      } catch (cause) {
        const code = codeOf(cause)
        if (ofTheImage.has(code)) return { refusedAs: code }
        throw new Problem("integration_failed", { detail: "No image can be made now.", cause })
      }
    },
  }
}

/**
 * No image, not of a format that is supported, too large, or broken. 9523 is what all is for the local codec; Cloudflare
 * says it of images of invalid format, and of failures of its own.
 *
 * @see https://developers.cloudflare.com/images/reference/errors/
 */
const ofTheImage: ReadonlySet<number> = new Set([9412, 9413, 9420, 9516, 9520, 9523])

const codeOf = (error: unknown): number =>
  typeof error === "object" && error !== null && "code" in error ? Number(error.code) : 0
