import { Problem } from "./problem.ts"

/** Objects under keys, each small enough for memory. It and blobs.ts alone touch R2 bindings. */
export interface Bucket {
  /** Null when there is none. */
  get(key: string): Promise<Uint8Array | null>
  /** Puts it there, or what was put there before in its place. R2 refuses bytes that are not what `sha256` says. */
  put(key: string, bytes: Uint8Array, sha256: string): Promise<void>
}

/** Null where the deployment has no such binding. */
export function openBucket(env: object, binding: string): Bucket | null {
  const bucket = (env as Record<string, R2Bucket | undefined>)[binding]
  if (!bucket) return null
  return {
    async get(key) {
      const object = await bucket.get(key)
      return object ? new Uint8Array(await object.arrayBuffer()) : null
    },
    async put(key, bytes, sha256) {
      if (!(await bucket.put(key, bytes, { sha256 }))) {
        throw new Problem("internal", { cause: new Error(`R2 did not take ${key}`) })
      }
    },
  }
}
