import { createHash, createHmac } from "node:crypto"
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { backup, DatabaseSync } from "node:sqlite"

/** The file in which local D1 keeps a database, and which `wrangler dev --persist-to <stateDirectory>` opens. */
export function localFile(stateDirectory: string, id: string): string {
  // As miniflare names the Durable Object that stands for a D1 database; a test compares.
  const key = createHash("sha256").update("miniflare-D1DatabaseObject").digest()
  const name = createHmac("sha256", key).update(id).digest().subarray(0, 16)
  const proof = createHmac("sha256", key).update(name).digest().subarray(0, 16)
  const file = `${Buffer.concat([name, proof]).toString("hex")}.sqlite`
  return join(resolve(stateDirectory), "v3", "d1", "miniflare-D1DatabaseObject", file)
}

/** Copies a database as it stands at one moment, also while others write to it. The copy is whole or not there. */
export async function copyDatabase(from: string, to: string): Promise<void> {
  mkdirSync(dirname(to), { recursive: true })
  const draft = `${to}.part`
  rmSync(draft, { force: true })
  const database = new DatabaseSync(from, { readOnly: true })
  try {
    await backup(database, draft)
  } finally {
    database.close()
  }
  removeDatabase(to)
  renameSync(draft, to)
}

export function removeDatabase(file: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true })
}

/** Opens a file for reading, for the length of some work; null where there is none. */
export function reading<Result>(
  file: string,
  work: (database: DatabaseSync) => Result,
): Result | null {
  if (!existsSync(file)) return null
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return work(database)
  } finally {
    database.close()
  }
}

/** Two files side by side: what was is the schema `before`, what is the schema `main`. */
export function comparing<Result>(
  before: string,
  after: string,
  work: (database: DatabaseSync) => Result,
): Result {
  const database = new DatabaseSync(after, { readOnly: true })
  try {
    database.prepare("ATTACH ? AS before").run(before)
    return work(database)
  } finally {
    database.close()
  }
}

/** The command that puts a copy back in its place. */
export const goBackLocally = (copy: string, file: string): string =>
  `rm -f "${file}-wal" "${file}-shm" && cp "${copy}" "${file}"`
