import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import {
  cleanName,
  contentDisposition,
  nameInDisposition,
} from "../../../src/core/files/file-name.ts"
import { imageSizeOf } from "../../../src/core/files/image-size.ts"
import { mediaTypeOf, mediaTypes } from "../../../src/core/files/media-type.ts"
import { hush } from "../../support/hush.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import { bytesOf, type Content, contentOf, fetchFile, upload, uploadForm } from "./cast.ts"

const { env: variables = {} } = import.meta as { env?: Readonly<Record<string, string>> }
const seed = Number(variables.VITE_SEED ?? Math.floor(Math.random() * 2 ** 30))

let alice: Person
beforeAll(async () => {
  hush("info")
  alice = await signedIn("alice")
})

const bytes = (...parts: (string | number[])[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "string" ? [...part].map((character) => character.charCodeAt(0)) : part,
    ),
  )
const u32 = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
const png = (width: number, height: number) =>
  bytes([0x89], "PNG\r\n", [0x1a, 0x0a], u32(13), "IHDR", u32(width), u32(height), [8, 2, 0, 0, 0])
const box = (name: string, ...content: (string | number[])[]) => {
  const inner = [...bytes(...content)]
  return [...u32(inner.length + 8), ...bytes(name), ...inner]
}
const ispe = (width: number, height: number) => box("ispe", u32(0), u32(width), u32(height))
const avif = bytes(
  box("ftyp", "avif", u32(0), "mif1"),
  box("meta", u32(0), box("hdlr", u32(0)), box("iprp", box("ipco", ispe(64, 64), ispe(640, 480)))),
)
const jpeg = bytes(
  [0xff, 0xd8, 0xff, 0xe1, 0x40, 0x02],
  Array.from({ length: 0x4000 }, () => 0x41),
  [0xff, 0xff, 0xc4, 0, 3, 0, 0xff, 0xc2, 0, 17, 8, 1, 0xe0, 2, 0x80, 3],
)
const riff = (chunk: string, ...content: (string | number[])[]) =>
  bytes("RIFF", u32(0), "WEBP", chunk, u32(0), ...content)

describe("what a file is", () => {
  test.each<[what: string, content: Content, declared: string, type: string, size: string | null]>([
    ["a PNG", png(640, 480), "image/png", "image/png", "640x480"],
    ["a PNG that is said to be a page", png(3, 4), "text/html", "image/png", "3x4"],
    [
      "a PNG of 4,294,967,295 pixels square: a bomb, which nobody decodes",
      png(2 ** 32 - 1, 2 ** 32 - 1),
      "",
      "image/png",
      "4294967295x4294967295",
    ],
    ["a PNG that ends too early", png(640, 480).slice(0, 18), "image/png", "image/png", null],
    ["a GIF", bytes("GIF89a", [128, 2, 224, 1, 0, 0, 0]), "", "image/gif", "640x480"],
    [
      "a GIF that is a script, too",
      bytes("GIF89a", [47, 42, 47, 42], "*/=1;alert(1)"),
      "text/javascript",
      "image/gif",
      "10799x10799",
    ],
    ["a progressive JPEG with much EXIF", jpeg, "image/jpeg", "image/jpeg", "640x480"],
    ["a JPEG without a frame", bytes([0xff, 0xd8, 0xff, 0xd9]), "image/jpeg", "image/jpeg", null],
    [
      "a JPEG whose segments have no length",
      bytes([0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xe0, 0, 0]),
      "",
      "image/jpeg",
      null,
    ],
    [
      "a lossy WebP",
      riff("VP8 ", [0, 0, 0, 0x9d, 1, 0x2a, 128, 2, 224, 1]),
      "",
      "image/webp",
      "640x480",
    ],
    ["a lossless WebP", riff("VP8L", [0x2f, 0x7f, 0xc2, 0x77, 0]), "", "image/webp", "640x480"],
    [
      "a large WebP",
      riff("VP8X", [0, 0, 0, 0, 127 + 0, 2, 0, 223, 1, 0]),
      "",
      "image/webp",
      "640x480",
    ],
    ["an AVIF with a thumbnail", avif, "", "image/avif", "640x480"],
    ["a PDF", "%PDF-1.7\n<script>", "text/html", "application/pdf", null],
    ["a page", "<!DOCTYPE html><script>alert(1)</script>", "image/png", "text/html", null],
    [
      "a page after a comment and much white",
      `<!-- x -->${" ".repeat(2_000)}<script src=x>`,
      "text/plain",
      "text/html",
      null,
    ],
    ["a script within text", "hello <script>alert(1)</script>", "text/csv", "text/html", null],
    [
      "a drawing with a script",
      '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
      "image/png",
      "image/svg+xml",
      null,
    ],
    [
      "a drawing with a prefix, in XML",
      '<?xml version="1.0"?><x:svg xmlns:x="…"/>',
      "",
      "image/svg+xml",
      null,
    ],
    [
      "XML with a stylesheet",
      '<?xml version="1.0"?><?xml-stylesheet href="x"?><a:b/>',
      "text/plain",
      "text/xml",
      null,
    ],
    ["text", "just text, 1 < 2", "text/html", "text/plain", null],
    [
      "text in an encoding with control characters",
      "a\0b",
      "text/plain",
      "application/octet-stream",
      null,
    ],
    ["a table", "a,b\n1,2", "text/csv; charset=utf-8", "text/csv", null],
    [
      "a table that is a program",
      bytes("MZ", [0x90, 0, 3]),
      "text/csv",
      "application/octet-stream",
      null,
    ],
    [
      "a workbook",
      bytes("PK", [3, 4, 20]),
      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
      null,
    ],
    [
      "an archive that is said to be a page",
      bytes("PK", [3, 4, 20]),
      "text/html",
      "application/zip",
      null,
    ],
    ["nothing", "", "text/html", "application/octet-stream", null],
    [
      "a PNG with a page behind it",
      bytes([...png(5, 6)], "<!DOCTYPE html><script>alert(1)</script>"),
      "text/html",
      "image/png",
      "5x6",
    ],
    [
      "a JPEG with a page in its comment",
      bytes([0xff, 0xd8, 0xff, 0xfe, 0, 34], "<html><script>alert(1)</script>", [0], [0xff, 0xd9]),
      "text/html",
      "image/jpeg",
      null,
    ],
    [
      "a page with an archive behind it",
      bytes("<html><script>alert(1)</script>", "PK", [3, 4, 20, 0]),
      "text/html",
      "application/octet-stream",
      null,
    ],
    [
      "a page in UTF-16",
      bytes(
        [0xff, 0xfe],
        [..."<html><script>"].flatMap((c) => [c.charCodeAt(0), 0]),
      ),
      "text/html; charset=utf-16",
      "application/octet-stream",
      null,
    ],
    [
      "a page after a byte order mark",
      "\ufeff<html><script>alert(1)</script>",
      "image/png",
      "text/html",
      null,
    ],
  ])("%s", async (_, content, declared, type, size) => {
    const file = await upload(alice, content, { "content-type": declared })
    expect(file.type).toBe(type)
    // A form is another way in, and no other judge.
    const { id, name, createdAt, ...known } = file
    expect(await uploadForm(alice, content, "x", declared)).toMatchObject(known)
    expect(file.width === null ? null : `${file.width}x${file.height}`).toBe(size)
    const answer = await fetchFile(alice, file.id)
    const { headers } = answer
    expect(headers.get("content-type")?.split(";")[0]).toBe(type)
    expect(headers.get("x-content-type-options")).toBe("nosniff")
    expect(headers.get("content-security-policy")).toContain("default-src 'none'")
    expect(headers.get("content-security-policy")?.endsWith("; sandbox")).toBe(
      type !== "application/pdf",
    )
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin")
    expect(headers.get("cache-control")).toBe("private, no-cache")
    const active = ["text/html", "image/svg+xml", "text/xml"].includes(type)
    if (active) expect(headers.get("content-disposition")).toMatch(/^attachment/)
    expect(await contentOf(answer)).toEqual(bytesOf(content))
  })

  test("what browsers show is shown, unless it is asked for as a download", async () => {
    const { id } = await upload(alice, png(1, 1))
    const how = async (query: string) =>
      (await call(alice, "GET", `/files/${id}${query}`)).headers.get("content-disposition")
    expect(await how("")).toBe('inline; filename="file"')
    expect(await how("?download=true")).toBe('attachment; filename="file"')
  })

  test(`no bytes are anything but a known type, or make a reader fail (seed ${seed})`, () => {
    const starts = [
      "",
      "GIF89a",
      "RIFF1234WEBPVP8X",
      "RIFF1234WEBPVP8 ",
      "\xff\xd8\xff",
      "\x89PNG\r\n\x1a\n",
      "\0\0\0\x14ftypavif",
      "<svg>",
      "<?xml",
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...starts),
        fc.uint8Array({ maxLength: 200 }),
        fc.string(),
        (start, rest, declared) => {
          const content = bytes(start, [...rest])
          const type = mediaTypeOf(content, declared)
          expect(mediaTypes).toContain(type)
          for (const image of [
            "image/png",
            "image/gif",
            "image/jpeg",
            "image/webp",
            "image/avif",
          ]) {
            const size = imageSizeOf(image, content)
            if (size) expect(Math.min(size.width, size.height)).toBeGreaterThan(0)
          }
        },
      ),
      { seed, numRuns: 2_000 },
    )
  })
})

describe("what a file is called", () => {
  test.each([
    ["poster.png", "poster.png"],
    ["../../etc/passwd", "passwd"],
    ["..\\..\\windows\\system.ini", "system.ini"],
    ["..", "file"],
    ["", "file"],
    ["   ", "file"],
    [".htaccess", "htaccess"],
    ['a"b.txt', "a_b.txt"],
    ["a\r\nSet-Cookie: x=1.txt", "aSet-Cookie_ x=1.txt"],
    ["invoice\u202Efdp.exe", "invoicefdp.exe"],
    ["a\u200Fb\u2066c.txt", "abc.txt"],
    ["nul\0.txt", "nul.txt"],
    ["<script>.html", "_script_.html"],
    ["café.txt", "café.txt"],
    ["日本語.pdf", "日本語.pdf"],
    ["\ud800x.txt", "\ufffdx.txt"],
    ["trailing. . ", "trailing"],
  ])("%j is kept as %s", async (given, expected) => {
    const file = await upload(alice, "x", {}, `?name=${encodeURIComponent(given.toWellFormed())}`)
    expect(file.name).toBe(expected)
    expect(await uploadForm(alice, "x", given.toWellFormed(), "")).toMatchObject({ name: expected })
  })

  test("a name of 10,000 characters keeps its beginning and its extension", async () => {
    const disposition = `attachment; filename*=UTF-8''${encodeURIComponent("é".repeat(10_000))}.png`
    const { name } = await upload(alice, "x", { "content-disposition": disposition })
    expect(name).toBe(`${"é".repeat(125)}.png`)
    const long = await uploadForm(alice, "x", `${"é".repeat(10_000)}.png`, "")
    expect(long.name).toBe(name)
  })

  test.each([
    ['attachment; filename="a b.txt"', "a b.txt"],
    ["inline; filename=plain.txt", "plain.txt"],
    ['x; filename="q\\"uote.txt"', 'q"uote.txt'],
    ["x; filename*=UTF-8''%e2%82%ac.txt; filename=\"EUR.txt\"", "€.txt"],
    ["x; filename*=UTF-8'en'%ff.txt; filename=\"fallback.txt\"", "fallback.txt"],
    ["x; filename*=iso-8859-1''%a3.txt", null],
    ["attachment", null],
    [undefined, null],
  ])("Content-Disposition: %s tells %s", (header, expected) => {
    expect(nameInDisposition(header)).toBe(expected)
  })

  test(`whatever it is called, its name is harmless, stays as it is when cleaned again, and survives the way to the browser (seed ${seed})`, () => {
    const name = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: "binary" }),
      fc.string({
        unit: fc.constantFrom(
          "/",
          "\\",
          '"',
          "\n",
          ".",
          " ",
          "\u202e",
          "é",
          "😀",
          "a",
          "'",
          "(",
          "*",
          "%",
          ";",
        ),
        maxLength: 400,
      }),
    )
    fc.assert(
      fc.property(name, (given) => {
        const clean = cleanName(given)
        expect(cleanName(clean)).toBe(clean)
        expect(clean).not.toMatch(/[/\\"<>:|?*%\p{Cc}\p{Cf}]/u)
        expect(clean).not.toMatch(/^\.|^\s|^$/)
        expect(new TextEncoder().encode(clean).length).toBeLessThanOrEqual(255)
        const header = contentDisposition("attachment", clean)
        expect(header).toMatch(/^[\x20-\x7e]+$/)
        expect(nameInDisposition(header)).toBe(clean)
      }),
      { seed, numRuns: 1_000 },
    )
  })
})
