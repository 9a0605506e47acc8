import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeEach, expect, onTestFinished, test } from "vitest"
import { collections } from "../../src/app/collections.ts"
import { findUnlisted } from "../../src/tools/migrations/listing.ts"

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "app-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

test("names the file of a collection that is not listed, and where to list it", () => {
  writeFileSync(
    join(directory, "notes.ts"),
    'export const notes = collection("notes", { fields: {} })\n// export const old = collection("old", {})\n',
  )
  mkdirSync(join(directory, "shop"))
  writeFileSync(
    join(directory, "shop", "carts.ts"),
    'export const carts = collection(\n  "carts",\n  {},\n)\n',
  )
  expect(findUnlisted(directory, [{ name: "films" }])).toEqual([
    `${directory}/notes.ts defines the collection "notes", which is not listed in ${directory}/collections.ts: import it there and add it to the list.`,
    `${directory}/shop/carts.ts defines the collection "carts", which is not listed in ${directory}/collections.ts: import it there and add it to the list.`,
  ])
  expect(findUnlisted(directory, [{ name: "notes" }, { name: "carts" }])).toEqual([])
})

test("the app lists all that it defines", () => {
  expect(findUnlisted("src/app", collections)).toEqual([])
})
