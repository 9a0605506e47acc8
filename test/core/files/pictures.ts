import { env } from "cloudflare:workers"

/* Pictures to send, and a look at what became of them. */

type Bytes = Uint8Array<ArrayBuffer>
/** Red, green, blue, alpha: 0 to 255. */
export type Colour = readonly [number, number, number, number]
export const red: Colour = [255, 0, 0, 255]
export const green: Colour = [0, 255, 0, 255]
export const blue: Colour = [0, 0, 255, 255]
export const clear: Colour = [0, 0, 0, 0]

const u32 = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
const letters = (text: string) => [...text].map((letter) => letter.charCodeAt(0))

/** One of that many pixels. */
export async function png(
  width: number,
  height: number,
  colourAt: (x: number, y: number) => Colour,
): Promise<Bytes> {
  const rows = Array.from({ length: height }, (_, y) => [
    0,
    ...Array.from({ length: width }, (_, x) => colourAt(x, y)).flat(),
  ])
  const pixels = await through(Uint8Array.from(rows.flat()), new CompressionStream("deflate"))
  return Uint8Array.from([
    ...[0x89, ...letters("PNG\r\n"), 0x1a, 0x0a],
    ...chunk("IHDR", [...u32(width), ...u32(height), 8, 6, 0, 0, 0]),
    ...chunk("IDAT", [...pixels]),
    ...chunk("IEND", []),
  ])
}

function chunk(name: string, content: number[]): number[] {
  const checked = [...letters(name), ...content]
  return [...u32(content.length), ...checked, ...u32(crc32(checked))]
}

/** Of PNG (annex D). */
function crc32(bytes: readonly number[]): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

const through = async (bytes: Bytes, stream: CompressionStream | DecompressionStream) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer())

/** The same picture in another format. */
export async function as(
  format: "image/jpeg" | "image/webp",
  picture: Bytes,
  width = 2_000,
): Promise<Bytes> {
  const made = await env.IMAGES.input(new Blob([picture]).stream())
    .transform({ width, fit: "scale-down" })
    .output({ format })
  return new Uint8Array(await new Response(made.image()).arrayBuffer())
}

/** A JPEG that says how it is to be turned, and where it was taken. */
export function withExif(jpeg: Bytes, orientation: number): Bytes {
  const entry = (tag: number, type: number, count: number, value: number[]) => [
    ...[tag >> 8, tag & 255, 0, type, ...u32(count)],
    ...[...value, 0, 0, 0, 0].slice(0, 4),
  ]
  const gpsAt = 8 + 2 + 3 * 12 + 4
  const textAt = gpsAt + 2 + 2 * 12 + 4 + 24
  const tiff = [
    ...[...letters("MM"), 0, 42, ...u32(8), 0, 3],
    ...entry(0x010e, 2, 12, u32(textAt)),
    ...entry(0x0112, 3, 1, [0, orientation]),
    ...entry(0x8825, 4, 1, u32(gpsAt)),
    ...u32(0),
    ...[0, 2],
    ...entry(1, 2, 2, letters("N")),
    ...entry(2, 5, 3, u32(gpsAt + 2 + 2 * 12 + 4)),
    ...u32(0),
    ...[u32(52), u32(1), u32(31), u32(1), u32(7), u32(1)].flat(),
    ...letters("secret-place"),
  ]
  const length = tiff.length + 8
  const segment = [0xff, 0xe1, length >> 8, length & 255, ...letters("Exif"), 0, 0, ...tiff]
  return Uint8Array.from([...jpeg.subarray(0, 2), ...segment, ...jpeg.subarray(2)])
}

/** What it is on average: decoded, and made one pixel. */
export async function colourOf(picture: Bytes): Promise<number[]> {
  const made = await env.IMAGES.input(new Blob([picture]).stream())
    .transform({ width: 1, height: 1, fit: "squeeze" })
    .output({ format: "image/png" })
  const bytes = new Uint8Array(await new Response(made.image()).arrayBuffer())
  const view = new DataView(bytes.buffer)
  const found: number[] = []
  for (let at = 8; at < bytes.length; at += 12 + view.getUint32(at)) {
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (name === "IDAT") found.push(...bytes.subarray(at + 8, at + 8 + view.getUint32(at)))
  }
  // A filter of the first pixel has nothing to add to it.
  return [...(await through(Uint8Array.from(found), new DecompressionStream("deflate")))].slice(1)
}
