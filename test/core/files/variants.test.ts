import { env } from "cloudflare:workers"
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import type { StoredFile } from "../../../src/core/files/files.ts"
import { imageSizeOf } from "../../../src/core/files/image-size.ts"
import { mediaTypeOf } from "../../../src/core/files/media-type.ts"
import {
  type ImagePreset,
  linkImagePresets,
  presetNamed,
  variantOf,
} from "../../../src/core/files/presets.ts"
import { callAt } from "../../support/deployment.ts"
import { hush } from "../../support/hush.ts"
import { call, costOf, type Person, signedIn } from "../../support/people.ts"
import { contentOf, fetchFile, query, read, refused, sweepAt, upload } from "./cast.ts"
import { as, blue, type Colour, clear, colourOf, green, png, red, withExif } from "./pictures.ts"

type Bytes = Uint8Array<ArrayBuffer>
const webp = { accept: "image/avif,image/webp,*/*;q=0.8" }
const hour = 3_600_000

let alice: Person
let bands: Bytes
let poster: StoredFile
const warnings: string[] = []
beforeAll(async () => {
  hush("info", "error")
  vi.spyOn(console, "warn").mockImplementation((line: string) => void warnings.push(line))
  alice = await signedIn("alice")
  bands = await png(120, 60, (x) => (x < 30 ? red : x < 90 ? green : blue))
  poster = await upload(alice, bands, { "content-disposition": 'inline; filename="bands.png"' })
})
afterEach(() => void vi.useRealTimers())

/** What lies in R2 of a file's variants. */
const keptOf = async (id: string): Promise<string[]> =>
  (await env.BLOBS.list({ prefix: `variants/${id}/` })).objects.map(({ key }) =>
    key.slice(key.lastIndexOf("/") + 1),
  )

const linkTo = async (id: string): Promise<string> =>
  (
    await read<{ url: string }>(
      call(alice, "POST", `/files/${id}/links`, { expiresInSeconds: 604_800 }),
      201,
    )
  ).url

const nothing = (): Promise<unknown> => Promise.resolve()

/** A deployment that counts what it asks of R2 and of the service, and does something before these answer. */
function counting(
  beforeImages = nothing,
  beforeBlobs: (method: string) => Promise<unknown> = nothing,
) {
  const asked: string[] = []
  const counted = (binding: object, name: string) =>
    new Proxy(binding, {
      get(target, method) {
        const found = Reflect.get(target, method)
        if (typeof found !== "function") return found
        return async (...parameters: unknown[]) => {
          asked.push(`${name}.${String(method)}`)
          await beforeBlobs(String(method))
          return found.apply(target, parameters)
        }
      },
    })
  const IMAGES = {
    input(content: ReadableStream<Uint8Array>) {
      asked.push("IMAGES.input")
      return {
        transform: (draft: ImageTransform) => ({
          async output(options: ImageOutputOptions) {
            await beforeImages()
            return env.IMAGES.input(content).transform(draft).output(options)
          },
        }),
      }
    },
  }
  return { asked, deployment: { ...env, BLOBS: counted(env.BLOBS, "BLOBS"), IMAGES } }
}

const ask = (
  deployment: object,
  url: string,
  headers: Record<string, string> = {},
  method = "GET",
) => callAt(deployment, null, method, url, undefined, headers)

const sizeOf = (picture: Bytes): string => {
  const type = mediaTypeOf(picture, undefined)
  const size = imageSizeOf(type, picture)
  return `${type} ${size?.width}x${size?.height}`
}

describe("an image in a size that the deployment has named", () => {
  test("is cropped and made on first demand, and kept: one trip and one call to R2 from then on", async () => {
    const url = `${await linkTo(poster.id)}&preset=thumb`
    const { asked, deployment } = counting()
    const first = await ask(deployment, url, webp)
    expect(costOf(first).trips).toBe(2)
    const made = (await contentOf(first)) as Bytes
    expect(asked).toEqual(["BLOBS.get", "BLOBS.get", "IMAGES.input", "BLOBS.put"])
    expect(sizeOf(made)).toBe("image/webp 32x32")
    const [r, g, b] = (await colourOf(made)) as [number, number, number]
    expect([r < 40, g > 200, b < 40]).toEqual([true, true, true])
    asked.length = 0
    const again = await ask(deployment, url, webp)
    expect(costOf(again).trips).toBe(1)
    expect(await contentOf(again)).toEqual(made)
    expect(asked).toEqual(["BLOBS.get"])
    asked.length = 0
    const head = await ask(deployment, url, webp, "HEAD")
    expect(head.headers.get("content-length")).toBe(String(made.length))
    expect([costOf(head).trips, asked]).toEqual([1, ["BLOBS.head"]])
    expect(await keptOf(poster.id)).toEqual(["32x32-cover.webp"])
  })

  test("is answered with a tag, a name and a type of its own, as private as the file", async () => {
    const address = `${poster.id}?preset=thumb`
    const answer = await fetchFile(alice, address, webp)
    const whole = await fetchFile(alice, poster.id)
    const of = (name: string) => answer.headers.get(name)
    expect(of("etag")).toBe(`W/"${poster.sha256}-32x32-cover.webp"`)
    expect(of("content-type")).toBe("image/webp")
    expect(of("content-disposition")).toBe('inline; filename="bands.webp"')
    expect(of("vary")).toContain("accept")
    expect(whole.headers.get("vary")).not.toContain("accept")
    for (const same of ["cache-control", "content-security-policy", "x-content-type-options"]) {
      expect(of(same)).toBe(whole.headers.get(same))
    }
    expect(of("accept-ranges")).toBe("none")
    const length = of("content-length")
    expect(length).toBe(String((await contentOf(answer)).length))
    const head = await fetchFile(alice, address, webp, "HEAD")
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
      200,
      length,
      "",
    ])
    const known = { ...webp, "if-none-match": of("etag") as string }
    expect((await fetchFile(alice, address, known)).status).toBe(304)
    expect(
      (await fetchFile(alice, address, { "if-none-match": known["if-none-match"] })).status,
    ).toBe(200)
    const part = await fetchFile(alice, address, { ...webp, range: "bytes=0-1" })
    expect([part.status, part.headers.get("content-length")]).toEqual([200, length])
    const download = await fetchFile(alice, `${address}&download=true`, webp)
    expect(download.headers.get("content-disposition")).toBe('attachment; filename="bands.webp"')
  })

  test("has a name as short as names have to be", async () => {
    const { id } = await upload(alice, bands, {}, `?name=${"x".repeat(300)}`)
    const answer = await fetchFile(alice, `${id}?preset=thumb`)
    expect(answer.headers.get("content-disposition")).toBe(
      `inline; filename="${"x".repeat(251)}.png"`,
    )
    await answer.arrayBuffer()
  })

  test("is never enlarged but to be filled, and stays transparent", async () => {
    const small = await upload(alice, await png(10, 8, () => clear))
    const page = (await contentOf(fetchFile(alice, `${small.id}?preset=page`))) as Bytes
    expect(sizeOf(page)).toBe("image/png 10x8")
    expect((await colourOf(page))[3]).toBe(0)
    const still = fetchFile(alice, `${small.id}?preset=still`, webp)
    expect(sizeOf((await contentOf(still)) as Bytes)).toBe("image/jpeg 10x8")
    const thumb = fetchFile(alice, `${small.id}?preset=thumb`)
    expect(sizeOf((await contentOf(thumb)) as Bytes)).toBe("image/png 32x32")
  })

  test("is upright, and does not say where it was taken", async () => {
    const sideways = withExif(await as("image/jpeg", bands), 6)
    expect(new TextDecoder("latin1").decode(sideways)).toContain("secret-place")
    const file = await upload(alice, sideways)
    expect([file.type, file.width, file.height]).toEqual(["image/jpeg", 120, 60])
    for (const headers of [{}, webp]) {
      const made = (await contentOf(fetchFile(alice, `${file.id}?preset=page`, headers))) as Bytes
      expect(sizeOf(made)).toMatch(/^image\/(?:jpeg|webp) 24x48$/)
      expect(new TextDecoder("latin1").decode(made)).not.toMatch(/Exif|secret|GPS/)
    }
  })

  test("is made whole for many at once", async () => {
    const file = await upload(alice, bands)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => fetchFile(alice, `${file.id}?preset=page`)),
    )
    for (const answer of answers) {
      expect(sizeOf((await contentOf(answer)) as Bytes)).toBe("image/png 64x32")
    }
    expect(await keptOf(file.id)).toEqual(["64x48-scale-down.png"])
  })

  test("is answered also where R2 does not take it", async () => {
    const { id } = await upload(alice, bands)
    const url = `${await linkTo(id)}&preset=thumb`
    const { deployment } = counting(nothing, async (method) => {
      if (method === "put") throw new Error("10058: reduce your rate")
    })
    expect(sizeOf((await contentOf(ask(deployment, url))) as Bytes)).toBe("image/png 32x32")
    expect(await keptOf(id)).toEqual([])
    expect((await ask(env, url)).status).toBe(200)
    expect(await keptOf(id)).toHaveLength(1)
  })

  test("of a name that there is not is refused, and those that there are are named", async () => {
    for (const preset of ["thumbnail", "", "constructor", "thumb%00"]) {
      const answer = await read<{ code: string; detail: string }>(
        fetchFile(alice, `${poster.id}?preset=${preset}`),
        400,
      )
      expect(answer.code).toBe("invalid_input")
      expect(answer.detail).toContain("thumb, page, still")
    }
  })

  test("is reached by a link to the file, and by none to another", async () => {
    const other = await upload(alice, bands)
    const url = await linkTo(other.id)
    const answer = await call(null, "GET", `${url}&preset=thumb`)
    expect(answer.headers.get("cross-origin-resource-policy")).toBe("cross-origin")
    expect(sizeOf((await contentOf(answer)) as Bytes)).toBe("image/png 32x32")
    const elsewhere = `${url.replace(other.id, poster.id)}&preset=thumb`
    expect(await refused(call(null, "GET", elsewhere), 401)).toBe("code_invalid")
    await call(alice, "DELETE", `/files/${other.id}`)
    expect(await refused(call(null, "GET", `${url}&preset=thumb`), 404)).toBe("not_found")
  })

  test("is seen by whoever may see a record that holds the file, and by caches where that is everybody", async () => {
    const bob = await signedIn("reader")
    const holding = async (collection: string, fields: object) =>
      (await read<{ id: string }>(call(alice, "POST", `/records/${collection}`, fields), 201)).id
    const seen = async (who: Person | null, id: string) =>
      (await fetchFile(who, `${id}?preset=thumb`)).status
    const { id } = await upload(alice, bands)
    expect([await seen(null, id), await seen(bob, id)]).toEqual([401, 404])
    await holding("exhibits", { title: "Vase", open: true, contract: id })
    expect([await seen(null, id), await seen(bob, id), await seen(alice, id)]).toEqual([
      401, 404, 200,
    ])
    const poster = await holding("posters", { sheet: id })
    expect([await seen(null, id), await seen(bob, id)]).toEqual([200, 200])
    const cached = async (preset: string) =>
      (await fetchFile(null, `${id}?preset=${preset}`)).headers.get("cache-control")
    expect(await cached("still")).toBe("public, max-age=60")
    expect(await cached("thumb")).toBe("private, max-age=60")
    expect((await call(alice, "DELETE", `/records/posters/${poster}`)).status).toBe(204)
    expect([await seen(null, id), await seen(bob, id)]).toEqual([401, 404])
  })

  test("needs a binding, without which files are what they were", async () => {
    const { IMAGES: _none, ...without } = env
    const { id } = await upload(alice, bands)
    const url = await linkTo(id)
    expect(await refused(ask(without, `${url}&preset=thumb`), 500)).toBe("misconfigured")
    expect(await query("SELECT * FROM file_variants WHERE file = ?", id)).toEqual([])
    expect((await ask(without, url)).status).toBe(200)
  })
})

describe("no image is made", () => {
  const u32 = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
  const resized = (picture: Bytes, width: number, height: number): Bytes => {
    const lying = picture.slice()
    lying.set([...u32(width), ...u32(height)], 16)
    return lying
  }

  test.each<[what: string, content: () => string | Bytes, said: string]>([
    ["a text", () => "hello", "text/plain"],
    ["a drawing", () => '<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"],
    ["a page", () => "<html><img src=x onerror=alert(1)>", "text/html"],
    ["what is declared an image", () => "not one", "text/plain"],
    ["a PNG that ends before its size", () => bands.slice(0, 18), "what size it has"],
    ["a PNG of 4 billion pixels square", () => resized(bands, 2 ** 32 - 1, 2 ** 32 - 1), "pixels"],
    ["a PNG of 101 million pixels", () => resized(bands, 10_100, 10_000), "100 million"],
    ["a PNG with an edge of 12,001 pixels", () => resized(bands, 12_001, 1), "12000"],
  ])("of %s, and nobody is asked for one", async (_, content, said) => {
    const { id } = await upload(alice, content(), { "content-type": "image/png" })
    const { asked, deployment } = counting()
    const answer = await read<{ code: string; detail: string }>(
      ask(deployment, `${await linkTo(id)}&preset=thumb`),
      422,
    )
    expect(answer.code).toBe("unsupported_image")
    expect(answer.detail).toContain(said)
    expect(asked).toEqual([])
  })

  test("of an image of more than 20 MB", async () => {
    const { id } = await upload(alice, bands)
    await query("UPDATE files SET size = 20000001 WHERE id = ?", id)
    const { asked, deployment } = counting()
    const url = `${await linkTo(id)}&preset=thumb`
    expect(await refused(ask(deployment, url), 422)).toBe("unsupported_image")
    expect(asked).toEqual([])
    await query("UPDATE files SET size = ? WHERE id = ?", bands.length, id)
    expect((await ask(deployment, url)).status).toBe(200)
  })

  test("of a broken one, which is not decoded again before a day has passed, and is not logged", async () => {
    const half = await png(200, 200, (x, y) => [x, y, (x * y) & 255, 255] as Colour)
    const { id } = await upload(alice, half.slice(0, 400))
    const url = `${await linkTo(id)}&preset=thumb`
    const { asked, deployment } = counting()
    warnings.length = 0
    expect(await refused(ask(deployment, url), 422)).toBe("unsupported_image")
    expect(warnings.join()).toContain(id)
    expect(warnings.join()).not.toContain("libpng")
    const decoded = () => asked.filter((what) => what === "IMAGES.input").length
    expect(await refused(ask(deployment, url), 422)).toBe("unsupported_image")
    expect(decoded()).toBe(1)
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 25 * hour })
    expect(await refused(ask(deployment, url), 422)).toBe("unsupported_image")
    expect(await refused(ask(deployment, url), 422)).toBe("unsupported_image")
    expect(decoded()).toBe(2)
    expect(await keptOf(id)).toEqual([])
  })

  test("of one that is larger than its beginning says, or it is harmless", async () => {
    const lossy = await as("image/webp", bands)
    // Its frame has 120 by 60 pixels, and its canvas is said to have one.
    const canvas = [...[..."VP8X"].map((c) => c.charCodeAt(0)), 10, ...Array(13).fill(0)]
    const lying = [
      Uint8Array.from([...lossy.subarray(0, 12), ...canvas, ...lossy.subarray(12)]),
      // A screen of one pixel, and on it a frame of 65,535 by 65,535.
      Uint8Array.from([
        ...[..."GIF89a"].map((c) => c.charCodeAt(0)),
        ...[1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c, 0, 0, 0, 0],
        ...[255, 255, 255, 255, 0, 2, 2, 0x4c, 1, 0, 0x3b],
      ]),
    ]
    for (const picture of lying) {
      const file = await upload(alice, picture)
      expect([file.width, file.height]).toEqual([1, 1])
      const answer = await fetchFile(alice, `${file.id}?preset=thumb`)
      if (answer.status === 200) {
        expect(sizeOf((await contentOf(answer)) as Bytes)).toBe("image/png 32x32")
      } else expect(await refused(answer, 422)).toBe("unsupported_image")
    }
  })

  test("beyond what one person may have made in a day, of whichever of their files", async () => {
    const [bob, carol] = [await signedIn("bob"), await signedIn("carol")]
    const linkOf = async (owner: Person) => {
      const { id } = await upload(owner, bands)
      return (await read<{ url: string }>(call(owner, "POST", `/files/${id}/links`, {}), 201)).url
    }
    const [first, second, other] = [await linkOf(bob), await linkOf(bob), await linkOf(carol)]
    const { asked, deployment } = counting()
    const frugal = { ...deployment, FILE_IMAGES_PERSON: "3" }
    const wanted = ["thumb", "page", "still"].flatMap((preset) =>
      [first, second].map((url) => `${url}&preset=${preset}`),
    )
    const made = await Promise.all(wanted.map((url) => ask(frugal, url)))
    const told = made.map(({ status }) => status).sort()
    expect(told).toEqual([200, 200, 200, 429, 429, 429])
    expect(asked.filter((what) => what === "IMAGES.input")).toHaveLength(3)
    for (const answer of made) {
      const seconds = Number(answer.headers.get("retry-after"))
      expect(seconds > 0 && seconds <= 86_400).toBe(answer.status === 429)
      await answer.arrayBuffer()
    }
    // What is kept is given out, and other people's images are made.
    const again = await Promise.all(wanted.map((url) => ask(frugal, url)))
    expect(again.map(({ status }) => status)).toEqual(made.map(({ status }) => status))
    expect((await ask(frugal, `${other}&preset=thumb`)).status).toBe(200)
    await sweepAt(Date.now() + 72 * hour)
    expect(await query("SELECT * FROM images_made")).toEqual([])
  })

  test("while the service is down, and it is asked twenty times in ten minutes at most", async () => {
    const { id } = await upload(alice, bands)
    const url = `${await linkTo(id)}&preset=thumb`
    const down = counting(() => Promise.reject(Object.assign(new Error("quota"), { code: 9422 })))
    for (let time = 0; time < 20; time++) {
      expect(await refused(ask(down.deployment, url), 502)).toBe("integration_failed")
    }
    const now = Date.now()
    const soon = await ask(down.deployment, url)
    expect(soon.headers.get("retry-after")).toBe("2")
    vi.useFakeTimers({ toFake: ["Date"], now: now + 11_000 })
    const answer = await ask(down.deployment, url)
    expect(answer.headers.get("retry-after")).toBe("600")
    expect(await refused(answer, 429)).toBe("rate_limited")
    expect(down.asked.filter((what) => what === "IMAGES.input")).toHaveLength(20)
    vi.setSystemTime(now + 601_000)
    expect((await ask(env, url)).status).toBe(200)
  })
})

describe("what was made of a file", () => {
  test("goes with it", async () => {
    const { id } = await upload(alice, bands)
    for (const preset of ["thumb", "page"]) {
      expect((await fetchFile(alice, `${id}?preset=${preset}`)).status).toBe(200)
    }
    expect(await keptOf(id)).toHaveLength(2)
    expect((await call(alice, "DELETE", `/files/${id}`)).status).toBe(204)
    await vi.waitFor(async () => expect(await keptOf(id)).toEqual([]))
    await sweepAt(Date.now() + 3 * hour)
    expect(await query("SELECT * FROM file_variants WHERE file = ?", id)).toEqual([])
  })

  test("is swept where its file went in another way", async () => {
    const { id } = await upload(alice, bands)
    expect((await fetchFile(alice, `${id}?preset=thumb`)).status).toBe(200)
    await query("UPDATE files SET state = 'deleted' WHERE id = ?", id)
    await sweepAt(Date.now())
    expect(await keptOf(id)).toHaveLength(1)
    await sweepAt(Date.now() + 3 * hour)
    expect(await keptOf(id)).toEqual([])
    expect(await query("SELECT * FROM file_variants WHERE file = ?", id)).toEqual([])
  })

  test("is swept where it was written when its file was gone already, row and all", async () => {
    const { id } = await upload(alice, bands)
    const url = `${await linkTo(id)}&preset=thumb`
    const { deployment } = counting(async () => {
      expect((await call(alice, "DELETE", `/files/${id}`)).status).toBe(204)
      await sweepAt(Date.now())
      expect(await query("SELECT id FROM files WHERE id = ?", id)).toEqual([])
    })
    await (await ask(deployment, url)).arrayBuffer()
    expect(await keptOf(id)).toHaveLength(1)
    expect(await refused(ask(env, url), 404)).toBe("not_found")
    await sweepAt(Date.now() + 3 * hour)
    expect(await keptOf(id)).toEqual([])
    expect(await query("SELECT * FROM file_variants WHERE file = ?", id)).toEqual([])
  })

  test("is not begun any more once the file is deleted", async () => {
    const { id } = await upload(alice, bands)
    const url = `${await linkTo(id)}&preset=thumb`
    const { asked, deployment } = counting(nothing, async () => {
      await query("UPDATE files SET state = 'deleted' WHERE id = ?", id)
    })
    expect(await refused(ask(deployment, url), 404)).toBe("not_found")
    expect(asked).toEqual(["BLOBS.get"])
    expect(await query("SELECT * FROM file_variants WHERE file = ?", id)).toEqual([])
  })

  test("is made anew where a killed process has left the row alone", async () => {
    const { id } = await upload(alice, bands)
    await query(
      "INSERT INTO file_variants (file, name, attempts, begunAt) VALUES (?, '32x32-cover.png', 1, ?)",
      id,
      new Date().toISOString(),
    )
    expect((await fetchFile(alice, `${id}?preset=thumb`)).status).toBe(200)
    expect(await keptOf(id)).toHaveLength(1)
  })
})

describe("a preset", () => {
  const presets = linkImagePresets({ wide: { width: 100, height: 50 } })
  test.each([
    [undefined, "image/png", null, "png"],
    ["auto", "image/jpeg", null, "jpeg"],
    ["auto", "image/jpeg", "*/*", "jpeg"],
    ["auto", "image/gif", "image/*", "png"],
    ["auto", "image/png", "text/html, image/webp", "webp"],
    ["auto", "image/png", "IMAGE/WEBP;q=0.1", "webp"],
    ["auto", "image/png", "image/webp;q=0", "png"],
    ["auto", "image/png", "image/webp; q=0.00", "png"],
    ["auto", "image/png", "image/webpx", "png"],
    ["jpeg", "image/png", "image/webp", "jpeg"],
    ["webp", "image/png", null, "webp"],
  ] as const)("of format %s makes of %s, for %s, %s", (format, source, accept, extension) => {
    const linked = linkImagePresets({ one: { width: 1, height: 1, ...(format && { format }) } })
    const variant = variantOf(presetNamed(linked, "one"), source, accept)
    expect(variant.extension).toBe(extension)
    expect(variant.type).toBe(`image/${extension}`)
  })

  test("that changes is another variant", () => {
    const name = (preset: ImagePreset) =>
      variantOf(presetNamed(linkImagePresets({ one: preset }), "one"), "image/png", null).name
    const names = [
      { width: 100, height: 50 },
      { width: 50, height: 100 },
      { width: 100, height: 50, fit: "cover" as const },
      { width: 100, height: 50, format: "webp" as const },
    ].map(name)
    expect(new Set(names).size).toBe(4)
    expect(variantOf(presetNamed(presets, "wide"), "image/png", null).name).toBe(names[0])
  })

  test.each<[preset: object, name: string, said: RegExp]>([
    [{ width: 0, height: 1 }, "one", /"one": width is 0: give it 1 to 2560/],
    [{ width: 1, height: 2_561 }, "one", /height is 2561/],
    [{ width: 1.5, height: 1 }, "one", /width is 1.5/],
    [{ width: 1 }, "one", /height is undefined/],
    [{ width: 1, height: 1, fit: "fill" }, "one", /fit is "fill": say one of scale-down, cover/],
    [{ width: 1, height: 1, format: "avif" }, "one", /format is "avif"/],
    [{ width: 1, height: 1 }, "One", /name it in lower-case/],
    [{ width: 1, height: 1 }, "a&b", /name it in lower-case/],
  ])("such as %j named %s stops the start", (preset, name, said) => {
    expect(() => linkImagePresets({ [name]: preset as ImagePreset })).toThrow(said)
  })

  test("beyond the twentieth stops the start", () => {
    const some = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`p${n}`, { width: 1, height: 1 }]),
      )
    expect(linkImagePresets(some(20)).size).toBe(20)
    expect(() => linkImagePresets(some(21))).toThrow("20 at most")
  })
})
