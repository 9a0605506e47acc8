import { type Context, Hono } from "hono"
import type { z } from "zod"
import type { Http } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { parseWith } from "../../platform/validate.ts"
import type { LinkedCollections } from "../records/link.ts"
import { type Destination, destinationNamed } from "./destinations.ts"
import { beginDirectUpload, completeDirectUpload } from "./direct.ts"
import { signFileLink, verifyFileLink } from "./file-links.ts"
import { nameInDisposition } from "./file-name.ts"
import { assertMayHaveFiles } from "./file-rights.ts"
import { deleteFile, getFile, getLinkedFile, listFiles } from "./files.ts"
import { isForm, openForm } from "./form.ts"
import { type ImagePresets, presetNamed } from "./presets.ts"
import { chunksOf } from "./receive.ts"
import { contentQuery, filesQuery, newDirectUpload, newFileLink, uploadQuery } from "./schema.ts"
import { storeUpload, type Upload } from "./uploads.ts"
import { fileAnswer } from "./variants.ts"

/** `/files…` */
export const fileRoutes = (collections: LinkedCollections, presets: ImagePresets) =>
  new Hono<Http>()
    .get("/", queryOf(filesQuery), async (c) => {
      const actor = assertMayHaveFiles(c.get("actor"), "read")
      const page = await listFiles(c.get("app"), actor, pageOfQuery(c.req.valid("query")))
      return c.json(page, 200, nextLink(c.req.url, page))
    })
    .post("/", queryOf(uploadQuery), async (c) => {
      const actor = assertMayHaveFiles(c.get("actor"), "create")
      const app = c.get("app")
      const destination = (name: string) => destinationNamed(app, actor, collections, name)
      const upload = await uploadOf(c, c.req.valid("query"), destination)
      const file = await storeUpload(app, actor, collections, upload)
      return c.json(file, 201, { location: `/files/${file.id}` })
    })
    .get("/:id", queryOf(contentQuery), async (c) => {
      const { link, download, preset } = c.req.valid("query")
      // Whoever may not read it is told that first.
      const size = () => (preset === undefined ? null : presetNamed(presets, preset))
      const wanted = {
        method: c.req.method,
        headers: c.req.raw.headers,
        download: download === "true",
      }
      const app = c.get("app")
      if (link !== undefined) {
        const there = app.on(verifyFileLink(app, c.req.param("id"), link))
        const file = await getLinkedFile(there, collections, c.req.param("id"))
        return fileAnswer(there, file, { ...wanted, access: "link" }, size())
      }
      const { file, open } = await getFile(app, c.get("actor"), collections, idOf(c))
      return fileAnswer(app, file, { ...wanted, access: open ? "open" : "private" }, size())
    })
    .delete("/:id", async (c) => {
      const actor = assertMayHaveFiles(c.get("actor"), "delete")
      await deleteFile(c.get("app"), actor, collections, idOf(c))
      return c.body(null, 204)
    })
    .post("/direct-uploads", jsonBody(newDirectUpload), async (c) => {
      const actor = assertMayHaveFiles(c.get("actor"), "create")
      const app = c.get("app")
      const { for: field, type, ...draft } = c.req.valid("json")
      const destination = field ? destinationNamed(app, actor, collections, field) : null
      return c.json(await beginDirectUpload(app, actor, { ...draft, type, destination }), 201)
    })
    .post("/:id/completion", async (c) => {
      const actor = assertMayHaveFiles(c.get("actor"), "create")
      const app = c.get("app")
      const named = (field: string) => destinationNamed(app, actor, collections, field)
      const file = await completeDirectUpload(app, actor, idOf(c), named)
      return c.json(file, 201, { location: `/files/${file.id}` })
    })
    .post("/:id/links", jsonBody(newFileLink), async (c) => {
      const actor = assertMayHaveFiles(c.get("actor"), "read")
      const app = c.get("app")
      const { id } = (await getFile(app, actor, collections, idOf(c))).file
      const expiresAt = app.now() + c.req.valid("json").expiresInSeconds * 1_000
      const link = signFileLink(app, id, expiresAt)
      return c.json(
        { url: `/files/${id}?link=${link}`, expiresAt: new Date(expiresAt).toISOString() },
        201,
      )
    })

/** What is sent: the body, or the file in a form, whose other fields say what the query may say. */
async function uploadOf(
  c: Context<Http>,
  query: z.output<typeof uploadQuery>,
  named: (destination: string) => Destination,
): Promise<Upload> {
  const [type, sizeBytes] = [c.req.header("content-type"), lengthOf(c)]
  const content = chunksOf(c.req.raw.body as ReadableStream<Uint8Array> | null)
  if (!isForm(type)) {
    const name = nameInDisposition(c.req.header("content-disposition")) ?? query.name ?? ""
    return { name, type, sizeBytes, content, destination: query.for ? named(query.for) : null }
  }
  const { fields, file } = await openForm(type as string, sizeBytes, content)
  const said = parseWith(uploadQuery, { ...query, ...fields })
  const destination = said.for ? named(said.for) : null
  return { ...file, name: said.name ?? file.name, destination }
}

/** An id that cannot be one is an id of nothing. */
function idOf(c: Context<Http>): string {
  const id = c.req.param("id") ?? ""
  if (!isId(id)) throw new Problem("not_found")
  return id
}

/** R2 has to be told beforehand, and so has whoever judges quotas. */
function lengthOf(c: Context<Http>): number {
  const header = c.req.header("content-length")
  if (header === undefined) throw new Problem("length_required")
  if (/^\d{1,15}$/.test(header)) return Number(header)
  const message = "Content-Length: a number of bytes."
  throw invalidInput({ path: "headers.content-length", code: "format", message })
}
