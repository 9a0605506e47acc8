import { Buffer } from "node:buffer"
import type { ZodType } from "zod"
import type { App } from "../../platform/app.ts"
import type { sql } from "../../platform/sql.ts"
import { type Job, type JobRun, permanent } from "./job.ts"
import {
  forgetAttempts,
  keepProgress,
  keepStep,
  renewLeases,
  runningLeaseMilliseconds,
} from "./statements.ts"
import type { StoredJob } from "./stored-job.ts"

/** The job was cancelled, or another run has taken over: what stops the handler at its next step. */
export type Stop = "cancelled" | "lost"

export interface Run {
  readonly app: App
  readonly stored: StoredJob
  /** Failed ones before this: none any more, once a step is kept. */
  attempts: number
  /** Results of earlier attempts, as JSON, by name. */
  readonly steps: Map<string, string>
  /** Aborted from outside with a `Stop` or an error. */
  readonly controller: AbortController
}

const defaultTimeoutSeconds = 300

/**
 * One attempt. Ends when the handler does, when time is up, or when the signal says stop, whichever is first: a handler
 * that does not listen goes on in vain, because its steps are no longer kept.
 *
 * @throws whatever the handler throws; the reason of the signal.
 */
export async function runJob<Reach>(
  job: Job<ZodType, Reach>,
  run: Run,
  reach: Reach,
): Promise<void> {
  const { controller } = run
  const { signal } = controller
  const seconds = job.options.timeoutSeconds ?? defaultTimeoutSeconds
  const timer = setTimeout(
    () => controller.abort(new Error(`The attempt took longer than ${seconds} s.`)),
    seconds * 1_000,
  )
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  })
  // Nobody may be waiting for it yet, or any more.
  stopped.catch(() => {})
  try {
    const payload = parsePayload(job, run.stored)
    await Promise.race([job.options.run(jobRun(payload, run), reach), stopped])
  } finally {
    clearTimeout(timer)
  }
}

/** @throws what `isPermanent` knows, for a payload that no attempt could read. */
function parsePayload({ options }: Job, { version, payload }: StoredJob): unknown {
  const current = options.version ?? 1
  if (version > current) {
    throw new Error(`The payload has version ${version}, this deployment knows ${current}.`)
  }
  let value: unknown = JSON.parse(payload)
  try {
    for (let from = version; from < current; from++) value = options.upgrade?.[from]?.(value)
    return options.payload.parse(value)
  } catch (error) {
    throw permanent("The payload does not parse.", error)
  }
}

function jobRun<Payload>(payload: Payload, run: Run): JobRun<Payload> {
  const { app, stored, steps, controller } = run
  const id = { id: stored.id, runs: stored.runs }
  const key = stored.key ?? stored.id
  const used = new Set<string>()
  /** Statements of this run, in one trip that also says that it lives and asks whether to stop. */
  const tell = async (statements: ReturnType<typeof sql>[]): Promise<void> => {
    controller.signal.throwIfAborted()
    const leaseUntil = new Date(app.now() + runningLeaseMilliseconds).toISOString()
    const answers = await app.db.batch([...statements, renewLeases([id], leaseUntil)])
    const lease = answers.at(-1)?.[0]
    if (!lease) controller.abort("lost" satisfies Stop)
    else if (lease.cancelRequestedAt) controller.abort("cancelled" satisfies Stop)
    controller.signal.throwIfAborted()
  }
  return {
    id: stored.id,
    key,
    payload,
    attempt: stored.attempts + 1,
    organisation: stored.organisation,
    createdAt: stored.createdAt,
    app,
    signal: controller.signal,
    async step(name, work) {
      if (used.has(name)) throw permanent(`Two steps of the job are named "${name}".`)
      used.add(name)
      const known = steps.get(name)
      if (known !== undefined) return JSON.parse(known)
      controller.signal.throwIfAborted()
      const result = await (async () => work())().catch((error: unknown) => {
        // What has failed may be tried again at once.
        used.delete(name)
        throw error
      })
      const json = jsonOf(name, result ?? null)
      await tell([keepStep(id, name, json, new Date(app.now()).toISOString()), forgetAttempts(id)])
      run.attempts = 0
      return JSON.parse(json)
    },
    progress: (done, total) => tell([keepProgress(id, JSON.stringify({ done, total }))]),
    idFor: (name) => uuidOf(`${stored.name}\n${key}\n${name}`),
  }
}

/** @throws what `isPermanent` knows, for what would be another result in the next attempt. */
function jsonOf(step: string, result: unknown): string {
  let json: string | undefined
  try {
    json = JSON.stringify(result)
  } catch (error) {
    throw permanent(`The result of step "${step}" is not JSON.`, error)
  }
  if (json === undefined) throw permanent(`The result of step "${step}" is not JSON.`)
  return json
}

/** A UUID of version 8 (RFC 9562): the first bits of the text's SHA-256. */
async function uuidOf(text: string): Promise<string> {
  const hash = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)),
  ).slice(0, 16)
  hash[6] = ((hash[6] as number) & 0x0f) | 0x80
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80
  return Buffer.from(hash)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
}
