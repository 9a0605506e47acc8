import { DefinitionError } from "../../platform/definition-error.ts"
import type { ImageDraft, ImageType } from "../../platform/images.ts"
import { invalidInput } from "../../platform/problem.ts"

/*
 * Sizes in which images are given out, declared in code: nobody else can have any other made. Pure.
 */

export interface ImagePreset {
  /** In pixels, 2,560 at most. */
  readonly width: number
  readonly height: number
  /**
   * `cover` fills width and height, and crops what is beyond. Unless told `scale-down`: all of it within them, and nothing
   * enlarged.
   */
  readonly fit?: ImageDraft["fit"]
  /** Unless told `auto`: WebP for whoever says that they take it; else JPEG of what is JPEG, and PNG of all else. */
  readonly format?: "auto" | keyof typeof types
}

/** Presets by name. */
export type ImagePresets = ReadonlyMap<string, Required<ImagePreset>>

const types = { jpeg: "image/jpeg", png: "image/png", webp: "image/webp" } as const
const fits = ["scale-down", "cover"]
const formats = ["auto", ...Object.keys(types)]

/** What is made is held in memory, and may have no more than four bytes for each pixel. */
const maxPixels = 2_560

/** Each of them is a copy of every image that somebody asks for. */
const maxPresets = 20

/** @throws {DefinitionError} for one that has no such name, size, fit or format. */
export function linkImagePresets(
  presets: Readonly<Record<string, ImagePreset>> = {},
): ImagePresets {
  const named = Object.entries(presets)
  if (named.length > maxPresets) {
    throw new DefinitionError(`There are ${named.length} image presets: ${maxPresets} at most.`)
  }
  return new Map(
    named.map(([name, preset]) => {
      const { width, height, fit = "scale-down", format = "auto" } = preset
      const wrong = (what: string) => new DefinitionError(`Image preset "${name}": ${what}`)
      if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
        throw wrong("name it in lower-case letters, digits and hyphens, 40 at most.")
      }
      for (const [edge, pixels] of Object.entries({ width, height })) {
        if (!Number.isInteger(pixels) || pixels < 1 || pixels > maxPixels) {
          throw wrong(`${edge} is ${pixels}: give it 1 to ${maxPixels} pixels.`)
        }
      }
      if (!fits.includes(fit)) throw wrong(`fit is "${fit}": say one of ${fits.join(", ")}.`)
      if (!formats.includes(format)) {
        throw wrong(`format is "${format}": say one of ${formats.join(", ")}.`)
      }
      return [name, { width, height, fit, format }]
    }),
  )
}

/** @throws {Problem} `invalid_input`, naming those that there are */
export function presetNamed(presets: ImagePresets, name: string): Required<ImagePreset> {
  const preset = presets.get(name)
  if (preset) return preset
  const known = [...presets.keys()].join(", ") || "none"
  const message = `preset: there is no such preset; there are: ${known}.`
  throw invalidInput({ path: "query.preset", code: "unknown", message })
}

/** What is kept of an image. */
export interface Variant extends ImageDraft {
  /** Of the image: what has another definition has another name. */
  readonly name: string
  /** Of its file's name. */
  readonly extension: string
}

/**
 * @param source type of the image
 * @param accept the header of whoever asks
 */
export function variantOf(
  { width, height, fit, format }: Required<ImagePreset>,
  source: string,
  accept: string | null,
): Variant {
  const fallback = source === types.jpeg ? "jpeg" : "png"
  const extension = format !== "auto" ? format : takesWebp(accept) ? "webp" : fallback
  const type: ImageType = types[extension]
  return { width, height, fit, type, extension, name: `${width}x${height}-${fit}.${extension}` }
}

/** Programs that say `*` and mean any old image do not, and browsers name it. */
const takesWebp = (accept: string | null): boolean =>
  (accept ?? "").split(",").some((range) => {
    const [type, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
    return type === types.webp && !parameters.some((one) => /^q=0(?:\.0*)?$/.test(one))
  })
