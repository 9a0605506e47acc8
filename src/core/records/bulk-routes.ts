import { createHash } from "node:crypto"
import { type Context, Hono } from "hono"
import type { UserActor } from "../../platform/app.ts"
import type { Http } from "../../platform/http.ts"
import { describeError } from "../../platform/log.ts"
import { invalidInput, Problem } from "../../platform/problem.ts"
import { readJson } from "../../platform/validate.ts"
import { assertEpoch, epochProbe } from "../identity/epoch.ts"
import { assertDeclared, bytesOfBody, textOfBody } from "./body-text.ts"
import { operationAnswer, type StoredOperation } from "./bulk-operation.ts"
import { startOperation } from "./bulk-start.ts"
import { changeMany, countMatching } from "./change-many.ts"
import { parseChangeQuery } from "./change-query.ts"
import { exportText, parseExportQuery, streamOf } from "./export.ts"
import { idempotencyKey } from "./idempotency.ts"
import { importRows } from "./import.ts"
import { createImporter } from "./import-chunk.ts"
import { chunksOf } from "./import-chunks.ts"
import { rowsOfFile } from "./import-file.ts"
import { formatOfBody, parseImportQuery } from "./import-query.ts"
import { objectBody, parsePatch } from "./input.ts"
import type { LinkedCollections } from "./link.ts"
import { receiveFile, type Upload } from "./receive-file.ts"
import { refuseHopeless } from "./refuse-hopeless.ts"
import { findCollection, notAllowed, parametersOf } from "./route-context.ts"

/** `/records/{collection}/export` and `/records/{collection}/import`. */
export function bulkRoutes(collections: LinkedCollections): Hono<Http> {
  const routes = new Hono<Http>()

  routes.get("/:collection/export", async (c) => {
    const { collection, view } = findCollection(c, collections)
    const app = c.get("app")
    const query = parseExportQuery(view, collection, parametersOf(c))
    const text = exportText(app, view, collection, query)
    // The first page comes before the answer does, so that whatever speaks against it is still an answer.
    const first = await text.next()
    const name = `${collection.name}-${new Date(app.now()).toISOString().slice(0, 10)}`
    const body = streamOf(text, first.value ?? "", (error) => {
      app.log("error", "an export broke off", {
        collection: collection.name,
        error: describeError(error),
      })
    })
    return c.body(body, 200, {
      "content-type": mediaTypes[query.format],
      "content-disposition": `attachment; filename="${name}.${query.format}"`,
    })
  })

  routes.post("/:collection/import", async (c) => {
    const { collection, view } = findCollection(c, collections)
    const query = parseImportQuery(view, collection, parametersOf(c))
    const request = c.req.raw
    const key = idempotencyKey(request)
    if (!wantsAsync(request) && key !== null) throw unrepeatable()
    await refuseHopeless(c.get("app"), view, collection, "create")
    const format = formatOfBody(request)
    const importer = createImporter(c.get("app"), c.get("actor"), collections, collection, query)
    if (!wantsAsync(request)) {
      const rows = rowsOfFile(view, collection, format, query.columns, textOfBody(request))
      const report = await importRows(c.get("app"), importer, collection, query, rows)
      await assertStanding(c)
      return c.json(report)
    }
    const actor = ownerOf(c)
    if (query.atomic) throw inBackground("atomic")
    const wanted = {
      kind: "import",
      collection: collection.name,
      request: { ...noRequest, upsert: query.upsert?.join(",") ?? null, dryRun: query.dryRun },
    } as const
    assertDeclared(request, maxUploadBytes)
    const digest = createHash("sha256").update(`${new URL(request.url).search} ${format}\n`)
    const bytes = bytesOfBody(request, maxUploadBytes, (piece) => digest.update(piece))
    const text = textOfBody(request, bytes)
    const rows = rowsOfFile(view, collection, format, query.columns, text)
    const upload: Upload = {
      chunks: chunksOf(importer, collection, query, rows, receivedEvery),
      roomBytes: 4 * maxUploadBytes,
      async readRest() {
        for await (const _ of bytes);
      },
      idempotency: key === null ? null : { route: `POST /records/${collection.name}/import`, key },
      hash: () => digest.copy().digest("hex"),
    }
    return accepted(c, await receiveFile(c.get("app"), actor, collections, wanted, upload))
  })

  const change = async (c: Context<Http>, patch: Record<string, unknown> | null) => {
    const { collection, view } = findCollection(c, collections)
    const kind = patch === null ? "delete" : "update"
    const { filterText, ...query } = parseChangeQuery(view, collection, parametersOf(c))
    await refuseHopeless(c.get("app"), view, collection, kind)
    const input = patch && parsePatch(view, collection, "", patch)
    const writer = { app: c.get("app"), actor: c.get("actor"), collections }
    const many = { ...query, collection, patch: input }
    if (!wantsAsync(c.req.raw)) return c.json(await changeMany(writer, view, many))
    const actor = ownerOf(c)
    const request = { ...noRequest, filter: filterText, patch, dryRun: query.dryRun }
    const total = await countMatching(writer, view, many, maxCounted)
    const wanted = { kind, collection: collection.name, request } as const
    return accepted(c, await startOperation(writer.app, actor, collections, wanted, total))
  }
  routes.patch("/:collection", async (c) =>
    change(c, objectBody(await readJson(c.req.raw, patchTypes))),
  )
  routes.delete("/:collection", (c) => change(c, null))

  routes.all("/:collection/import", (c) => notAllowed(c, "POST, OPTIONS"))
  routes.all("/:collection/export", (c) => notAllowed(c, "GET, HEAD, OPTIONS"))
  return routes
}

/** A file without a row that could be written has asked the database nothing, nor whether the token still stands. */
async function assertStanding(c: Context<Http>): Promise<void> {
  const app = c.get("app")
  const actor = c.get("actor")
  if (actor.kind !== "user" || app.cost.trips > 0) return
  assertEpoch(actor, await app.db.all(epochProbe(actor)))
}

const mediaTypes = {
  csv: "text/csv; charset=utf-8",
  ndjson: "application/x-ndjson",
} as const

const patchTypes = ["application/merge-patch+json", "application/json"]

/** What Cloudflare takes as a body, and what D1 is to keep of one person's, five times. */
export const maxUploadBytes = 100_000_000

/** What comes slowly is passed on all the same: an upload that stands still for minutes is swept away. */
const receivedEvery = { milliseconds: 20_000, now: () => performance.now() }

/** Further a count would read longer than anybody waits. */
const maxCounted = 10_000_000

const noRequest = { upsert: null, filter: null, patch: null }

/** RFC 7240, 4.1. */
const wantsAsync = (request: Request): boolean =>
  (request.headers.get("prefer") ?? "")
    .split(",")
    .some((preference) => preference.split(";")[0]?.trim().toLowerCase() === "respond-async")

/** Only people can come back and look. */
function ownerOf(c: Context<Http>): UserActor {
  const actor = c.get("actor")
  if (actor.kind !== "user") throw new Problem("unauthenticated")
  return actor
}

/** It writes a batch at a time, and cannot tell afterwards which of them an answer that was lost had counted. */
const unrepeatable = (): Problem =>
  invalidInput({
    path: "headers.idempotency-key",
    code: "unsupported",
    message:
      'Idempotency-Key: an import that is answered at once cannot be replayed; send "Prefer: respond-async" with it, or name a unique field in "upsert".',
  })

const inBackground = (name: string): Problem => {
  const message = `${name}: what is done in the background is done a batch at a time, and not all or nothing.`
  return invalidInput({ path: `query.${name}`, code: "unknown_value", message })
}

const accepted = (c: Context<Http>, operation: StoredOperation): Response =>
  c.json(operationAnswer(operation), 202, {
    location: `/bulk-operations/${operation.id}`,
    "preference-applied": "respond-async",
  })
