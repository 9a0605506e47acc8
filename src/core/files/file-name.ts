/*
 * Names of files: they come from strangers, and go into headers and onto the disks of whoever downloads. Pure.
 */

const maxBytes = 255

/** In UTF-16 units: four times what is kept. */
const maxRead = 1_024

/** What stands for nothing that could be kept of a name. */
const nameless = "file"

/**
 * A name that is harmless wherever it is written: no path, no control or direction marks, nothing that file systems refuse,
 * 255 bytes of UTF-8 at most with its extension kept.
 */
export function cleanName(given: string): string {
  const base = given.split(/[/\\]/).at(-1) as string
  // Nothing that is read letter by letter below is longer, whatever a header says.
  const some = base.length > maxRead ? base.slice(0, maxRead - 64) + base.slice(-64) : base
  const clean = some
    .toWellFormed()
    .normalize("NFC")
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, "")
    .replace(/[<>:"|?*%]/g, "_")
    .replace(/\s+/g, " ")
    .replace(/^[\s.]+|[\s.]+$/g, "")
  return shorten(clean) || nameless
}

/** Cut before its extension, between characters. */
function shorten(name: string): string {
  if (byteLength(name) <= maxBytes) return name
  const extension = /\.[A-Za-z0-9]{1,16}$/.exec(name)?.[0] ?? ""
  let room = maxBytes - extension.length
  let start = ""
  for (const character of name.slice(0, name.length - extension.length)) {
    room -= byteLength(character)
    if (room < 0) break
    start += character
  }
  return start.trimEnd() + extension
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length

/**
 * The file name that a `Content-Disposition` tells, as it was sent; null when it tells none.
 * @see https://www.rfc-editor.org/rfc/rfc6266 and rfc8187
 */
export function nameInDisposition(header: string | undefined): string | null {
  if (header === undefined) return null
  const extended = /;\s*filename\*\s*=\s*UTF-8'[^']*'([^;\s]+)/i.exec(header)?.[1]
  if (extended !== undefined) {
    try {
      return decodeURIComponent(extended)
    } catch {
      // The other form, then.
    }
  }
  const plain = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(header)
  return plain ? (plain[1]?.replace(/\\(.)/g, "$1") ?? plain[2] ?? null) : null
}

/** `Content-Disposition` of an answer: in ASCII for old programs, and as it is. `name` is a clean one. */
export function contentDisposition(how: "inline" | "attachment", name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]/g, "_")
  const extended = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  const plain = `${how}; filename="${ascii}"`
  return ascii === name ? plain : `${plain}; filename*=UTF-8''${extended}`
}
