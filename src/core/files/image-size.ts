/*
 * Width and height of images, from the bytes that say so: nothing is decoded, so that no image can be a bomb. Pure.
 */

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** In pixels, as they are stored (what EXIF says of turning is passed over); null where the start does not tell. */
export function imageSizeOf(type: string, start: Uint8Array): ImageSize | null {
  const read = readers[type]
  if (!read) return null
  try {
    const size = read(new DataView(start.buffer, start.byteOffset, start.byteLength))
    return size && size.width > 0 && size.height > 0 ? size : null
  } catch (error) {
    // It ends before it has told.
    if (error instanceof RangeError) return null
    throw error
  }
}

const readers: Readonly<Record<string, (view: DataView) => ImageSize | null>> = {
  "image/png": (view) =>
    nameAt(view, 12) === "IHDR" ? { width: view.getUint32(16), height: view.getUint32(20) } : null,
  "image/gif": (view) => ({ width: view.getUint16(6, true), height: view.getUint16(8, true) }),
  "image/jpeg": sizeOfJpeg,
  "image/webp": sizeOfWebp,
  "image/avif": sizeOfAvif,
}

const nameAt = (view: DataView, at: number): string =>
  String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)))

/** From segment to segment up to the start of a frame (ITU-T T.81, B.1.1.3). */
function sizeOfJpeg(view: DataView): ImageSize | null {
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return null
    const marker = view.getUint8(at + 1)
    // Bytes 0xff may fill up what is before a marker.
    if (marker === 0xff) {
      at++
      continue
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
    // The data begin, or the end has come, without a frame.
    if (marker === 0xda || marker === 0xd9) return null
    at += 2 + Math.max(2, view.getUint16(at + 2))
  }
}

/** @see https://developers.google.com/speed/webp/docs/riff_container */
function sizeOfWebp(view: DataView): ImageSize | null {
  const uint24 = (at: number) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
  switch (nameAt(view, 12)) {
    case "VP8X":
      return { width: uint24(24) + 1, height: uint24(27) + 1 }
    case "VP8L": {
      const bits = view.getUint32(21, true)
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
    }
    case "VP8 ":
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
    default:
      return null
  }
}

/** The largest of the extents that the boxes meta, iprp, ipco hold: tiles and thumbnails have smaller ones (ISO 23008-12). */
function sizeOfAvif(view: DataView): ImageSize | null {
  const into: Readonly<Record<string, number>> = { meta: 4, iprp: 0, ipco: 0 }
  let largest: ImageSize | null = null
  const walk = (from: number, to: number): void => {
    for (let at = from; at + 8 <= to; ) {
      const size = view.getUint32(at)
      const name = nameAt(view, at + 4)
      const end = size === 0 ? to : at + size
      // Of 64 bits, or none at all: images have no such boxes before their extents.
      if (end < at + 8) return
      if (name === "ispe") {
        const found = { width: view.getUint32(at + 12), height: view.getUint32(at + 16) }
        if (!largest || found.width * found.height > largest.width * largest.height) largest = found
      } else if (name in into) walk(at + 8 + (into[name] as number), Math.min(end, to))
      at = end
    }
  }
  walk(0, view.byteLength)
  return largest
}
