import { DurableObject } from "cloudflare:workers"
import { type App, createApp } from "../../platform/app.ts"
import { describeError } from "../../platform/log.ts"
import { Problem } from "../../platform/problem.ts"
import { parseSettings } from "../../platform/settings.ts"
import { raw, sql } from "../../platform/sql.ts"
import { type Arrived, abandonParts, allowedBytes, forget, offsetOf, takeIn } from "./arrived.ts"
import { storeArrived } from "./completion.ts"
import { keyOf } from "./files.ts"
import { chunksOf } from "./receive.ts"
import type { Appended, Chunk, Incoming, Lost, Receiver } from "./receiver.ts"
import type { Checksum } from "./tus.ts"
import { giveUp } from "./uploads.ts"

/*
 * One object an upload, from its first byte to its last. Storage: `upload` (Incoming), and what arrived.ts says; nothing when
 * it is over. Until then the alarm is set: at its expiry, or soon after all has arrived, should nobody have lived to store it.
 */

/** Until what has arrived whole, or could not be given up, is looked at again. */
const patienceMilliseconds = 60_000

type Body = ReadableStream<Uint8Array> | null
type Taken = Exclude<Appended["outcome"], "elsewhere" | Lost["outcome"]>

/** The Durable Object class that takes in one upload. */
export class UploadReceiver extends DurableObject<Env> implements Receiver {
  #running: { readonly stop: AbortController; readonly ended: Promise<unknown> } | null = null
  #storing: Promise<Lost | null> | null = null
  /** Whether it has become a file, where it is over: calls may be on their way that were sent before. */
  #became: boolean | null = null

  async offset(upload: Incoming): Promise<number | null> {
    await this.#interrupt()
    if (this.#became !== null) return this.#became ? upload.sizeBytes : null
    const offset = offsetOf(this.#arrived(upload))
    if (offset < upload.sizeBytes) return offset
    return (await this.#store(upload)) ? null : offset
  }

  async append(upload: Incoming, chunk: Chunk, body: Body): Promise<Appended> {
    const arrived = this.#arrived(upload)
    const offset = () => (this.#became ? upload.sizeBytes : offsetOf(arrived))
    // Asked twice: whoever is elsewhere interrupts nobody, and whoever is interrupted may have come further.
    if (offset() === chunk.from) await this.#interrupt()
    const refusal =
      this.#became === false ? ({ outcome: "gone" } as const) : refuse(chunk, offset(), upload)
    if (refusal) {
      await body?.cancel()
      return refusal
    }
    // Nothing more is to come of it, and somebody may be making a file of it now.
    const isWhole = this.#became || this.#isWhole(upload)
    const outcome = isWhole ? "kept" : await this.#run(upload, chunk.checksum, body)
    if (isWhole) await body?.cancel()
    if (outcome !== "kept") return { outcome }
    const reached = offset()
    const isToStore = reached === upload.sizeBytes && !this.#became
    const lost = isToStore ? await this.#store(upload) : null
    return lost ?? { outcome, offset: reached }
  }

  async discard(id: string): Promise<void> {
    await this.#interrupt()
    await this.#storing?.catch(() => {})
    await this.#forget(id)
  }

  override async alarm(): Promise<void> {
    const { storage } = this.ctx
    const upload = storage.kv.get<Incoming>("upload")
    if (!upload) return
    const app = this.#app(upload.database)
    try {
      await this.#interrupt()
      if (this.#isWhole(upload)) await this.#store(upload)
      else await this.#expire(app, upload)
    } catch (error) {
      // The platform retries an alarm a few times only.
      const { id: file } = upload
      app.log("error", "upload receiver stopped", { file, error: describeError(error) })
      await storage.setAlarm(Date.now() + patienceMilliseconds)
    }
  }

  /** Whoever came late may have begun anew what is a file already: then that alone ends. */
  async #expire(app: App, { id }: Incoming): Promise<void> {
    const [row] = await app.db.all(sql`SELECT state FROM files WHERE id = ${id}`)
    if (row?.state !== "stored") return this.#giveUp(app, id)
    await abandonParts({ storage: this.ctx.storage, blobs: app.blobs, key: keyOf(id) })
    await this.#end(true)
  }

  #giveUp(app: App, id: string): Promise<void> {
    return giveUp(app, id, raw("state = 'uploading'"), () => this.#forget(id))
  }

  /** Also one of no bytes has to begin before it is. */
  #isWhole(upload: Incoming): boolean {
    const hasBegun = this.ctx.storage.kv.get("upload") !== undefined
    return hasBegun && offsetOf(this.#arrived(upload)) === upload.sizeBytes
  }

  /** One at a time: called without anything awaited since it was seen that none is running. */
  #run(upload: Incoming, checksum: Checksum | null, body: Body): Promise<Taken> {
    const stop = new AbortController()
    const taken = this.#take(upload, checksum, body, stop.signal).finally(() => {
      this.#running = null
    })
    this.#running = { stop, ended: taken.catch(() => {}) }
    return taken
  }

  async #take(
    upload: Incoming,
    checksum: Checksum | null,
    body: Body,
    stop: AbortSignal,
  ): Promise<Taken> {
    const { storage } = this.ctx
    if (!storage.kv.get("upload")) {
      storage.kv.put("upload", upload)
      await storage.setAlarm(upload.expiresAt)
    }
    try {
      const taken = await takeIn(this.#arrived(upload), chunksOf(body, stop), checksum)
      return stop.aborted ? "overtaken" : taken
    } catch (error) {
      if (stop.aborted) return "overtaken"
      if (error instanceof Problem && error.code === "invalid_input") return "broken_off"
      throw error
    } finally {
      await body?.cancel().catch(() => {})
    }
  }

  async #interrupt(): Promise<void> {
    while (this.#running) {
      this.#running.stop.abort()
      await this.#running.ended
    }
  }

  /** Makes a file of what has arrived whole. Null when it is one. */
  #store(upload: Incoming): Promise<Lost | null> {
    this.#storing ??= this.#storeOnce(upload).finally(() => {
      this.#storing = null
    })
    return this.#storing
  }

  async #storeOnce(upload: Incoming): Promise<Lost | null> {
    const { id } = upload
    const app = this.#app(upload.database)
    await this.ctx.storage.setAlarm(Date.now() + patienceMilliseconds)
    try {
      const isStored = await storeArrived(app, this.#arrived(upload), upload)
      if (isStored) await this.#end(true)
      else await this.#forget(id)
      return isStored ? null : { outcome: "gone" }
    } catch (error) {
      if (!(error instanceof Problem && error.code === "unsupported_media_type")) throw error
      await this.#giveUp(app, id)
      return { outcome: "unfit", detail: error.message }
    }
  }

  async #forget(id: string): Promise<void> {
    const { storage } = this.ctx
    await forget({ storage, blobs: this.#app("main").blobs, key: keyOf(id) })
    await this.#end(false)
  }

  async #end(became: boolean): Promise<void> {
    this.#became = became
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  #arrived({ id, database, sizeBytes }: Incoming): Arrived {
    const { storage } = this.ctx
    return { storage, blobs: this.#app(database).blobs, key: keyOf(id), sizeBytes }
  }

  #app(database: string): App {
    return createApp({
      env: this.env,
      settings: parseSettings(this.env),
      requestId: crypto.randomUUID(),
      database,
      bookmark: null,
      primary: true,
      waitUntil: (work) => this.ctx.waitUntil(work),
    })
  }
}

/** What is wrong with it before it is read. */
function refuse(
  { from, lengthBytes, checksum }: Chunk,
  offset: number,
  { sizeBytes }: Incoming,
): Appended | null {
  if (from !== offset) return { outcome: "elsewhere", offset }
  const isTooLong = (lengthBytes ?? 0) > allowedBytes(sizeBytes - from, checksum)
  return isTooLong ? { outcome: "too_long" } : null
}
