import { resolve } from "node:path"
import {
  convertV4MiniflareOptions,
  Log,
  LogLevel,
  Miniflare,
  type V4WorkerOptions,
} from "miniflare"
import {
  unstable_readConfig as readConfig,
  unstable_getMiniflareWorkerOptions as workerOptionsOf,
} from "wrangler"
import type { Bundle } from "./bundle.ts"

/** A Worker to start: its code, and its variables and secrets. */
export interface BundledWorker {
  bundle: Bundle
  variables: Record<string, string>
}

/** Bundles that serve: workerd itself answers, with no proxy between. */
export interface RunningBundles<Name extends string> {
  /** Where each Worker answers, without a slash at the end. */
  readonly urls: Record<Name, string>
  /** The D1 bindings, which the Workers share, for this process. */
  readonly bindings: Record<string, D1Database>
  /** Where this Worker's isolate, and no other's, speaks the Chrome DevTools Protocol: `ws://…`. With `inspect`. */
  inspectorOf(name: Name): Promise<string>
  stop(): Promise<void>
}

interface Options {
  /** Where databases are kept; only for this run when absent. */
  stateDirectory?: string
  port?: number
  inspect?: boolean
}

/** Starts Workers with the bindings of wrangler.toml in one workerd, on the loopback interface. */
export async function startBundles<Name extends string>(
  workers: Record<Name, BundledWorker>,
  { stateDirectory, port = 0, inspect = false }: Options = {},
): Promise<RunningBundles<Name>> {
  // The secrets come from `variables`: wrangler need not look for them, and warn.
  const config = { ...readConfig({ config: "wrangler.toml" }), secrets: undefined }
  const { workerOptions } = workerOptionsOf(config)
  const {
    assets,
    bindings,
    d1Databases,
    durableObjects,
    images,
    r2Buckets,
    ratelimits,
    queueProducers,
    queueConsumers,
    ...runtime
  } = workerOptions as BindingOptions
  const { compatibilityDate, compatibilityFlags } = runtime
  const names = Object.keys(workers) as Name[]
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      log: new Log(LogLevel.WARN),
      handleStructuredLogs({ level, message }) {
        if (level === "warn" || level === "error") console.error(message)
      },
      cf: false,
      ...(inspect && { inspectorHost: "127.0.0.1", inspectorPort: 0 }),
      workers: names.map((name) => ({
        name,
        modules: modulesOf(workers[name].bundle),
        modulesRoot: resolve(workers[name].bundle.directory),
        compatibilityDate,
        // The local queue would let every batch wait for the longest job of the one before.
        compatibilityFlags: [
          ...(compatibilityFlags ?? []),
          "queue_consumer_no_wait_for_wait_until",
        ],
        d1Databases,
        durableObjects,
        images,
        r2Buckets,
        ratelimits,
        ...(assets && { assets }),
        ...queuesOf(name, queueProducers, queueConsumers),
        bindings: { ...bindings, ...workers[name].variables },
        // Miniflare's own socket has a worker in front, which costs more than a request of ours.
        unsafeDirectSockets: [{ host: "127.0.0.1", port }],
      })),
      ...(stateDirectory && { resourcePersistencePath: resolve(stateDirectory, "v3") }),
    }),
  )
  const urls = {} as Record<Name, string>
  for (const name of names) urls[name] = (await miniflare.unsafeGetDirectURL(name)).origin
  const databases: Record<string, D1Database> = {}
  for (const name of Object.keys(d1Databases ?? {})) {
    databases[name] = (await miniflare.getD1Database(name)) as unknown as D1Database
  }
  return {
    urls,
    bindings: databases,
    inspectorOf: async (name) =>
      new URL(`/core:user:${name}`, await miniflare.getInspectorURL()).href,
    stop: () => miniflare.dispose(),
  }
}

/** As much of miniflare's options as wrangler.toml leads to. */
interface BindingOptions
  extends Pick<
    V4WorkerOptions,
    | "assets"
    | "bindings"
    | "compatibilityDate"
    | "compatibilityFlags"
    | "d1Databases"
    | "durableObjects"
    | "images"
    | "r2Buckets"
    | "ratelimits"
  > {
  /** Wrangler always gives the long form. */
  queueProducers?: Record<string, { queueName: string }>
  queueConsumers?: Record<string, object>
}

/** A queue has one consumer, so each Worker has queues of its own. */
function queuesOf(
  worker: string,
  producers: BindingOptions["queueProducers"] = {},
  consumers: BindingOptions["queueConsumers"] = {},
): Pick<BindingOptions, "queueProducers" | "queueConsumers"> {
  const named = (queue: string) => `${queue}-${worker}`
  return {
    queueProducers: Object.fromEntries(
      Object.entries(producers).map(([binding, { queueName, ...options }]) => [
        binding,
        { ...options, queueName: named(queueName) },
      ]),
    ),
    queueConsumers: Object.fromEntries(
      Object.entries(consumers).map(([queue, options]) => [named(queue), options]),
    ),
  }
}

/** The main module first, as miniflare wants it. */
const modulesOf = ({ directory, modules }: Bundle) =>
  modules
    .map((file) => ({
      type: file.endsWith(".wasm") ? ("CompiledWasm" as const) : ("ESModule" as const),
      path: resolve(directory, file),
    }))
    .sort((a, b) => Number(a.type === "CompiledWasm") - Number(b.type === "CompiledWasm"))
