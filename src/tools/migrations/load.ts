import { registerHooks } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { Collection } from "../../core/records/collection.ts"
import { MigrationError } from "./files.ts"

/**
 * The collections that an app lists. Hooks may import what exists in workerd only (`cloudflare:*`) or what the bundler
 * turns into text: definitions need neither, so both are empty here.
 */
export async function loadCollections(path: string): Promise<readonly Collection[]> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      isForeign(specifier) ? { url: empty, shortCircuit: true } : next(specifier, context),
  })
  try {
    const module = (await import(pathToFileURL(resolve(path)).href)) as { collections?: unknown }
    if (Array.isArray(module.collections)) return module.collections as Collection[]
  } finally {
    hooks.deregister()
  }
  throw new MigrationError(
    `${path} must export the list of collections: export const collections = [notes] as const`,
  )
}

const isForeign = (specifier: string): boolean =>
  specifier.startsWith("cloudflare:") || /\.(html|css|svg|wasm)$/.test(specifier)

const empty = `data:text/javascript,${encodeURIComponent("export default ''; export const DurableObject = class {}; export const WorkerEntrypoint = class {}; export const env = {}; export const exports = {}; export const waitUntil = () => {}")}`
