import { expect } from "vitest"
import { recomputeRollups } from "../../../src/core/records/ddl.ts"
import type { LinkedCollections } from "../../../src/core/records/link.ts"
import { recomputeSummary } from "../../../src/core/records/summaries.ts"
import { type Json, type Line, query } from "./cast.ts"

/** Every table is what its log says, and nothing else; links, index and rollups are what the tables say. */
export async function assertAgreement(collections: LinkedCollections): Promise<void> {
  const lines = (await query("SELECT * FROM changes ORDER BY seq")) as unknown as Line[]
  const latest = new Map<string, Line>()
  for (const line of lines) {
    const key = `${line.subject} ${line.record}`
    const before = latest.get(key)
    expect(line.version, key).toBe((before?.version ?? 0) + 1)
    const gone = before === undefined || before.kind === "deleted"
    expect(line.kind === "created", key).toBe(gone)
    latest.set(key, line)
  }
  for (const collection of collections.values()) {
    // The tests' people get their roles by SQL; identity tests its own lines. A view stores nothing.
    if (collection.builtIn || collection.sqlView !== null) continue
    const many = [...collection.fields.values()].filter(({ kind }) => kind === "relations")
    const rows = await query(`SELECT * FROM ${collection.name}`)
    for (const row of rows) {
      const line = latest.get(`${collection.name} ${row.id}`)
      latest.delete(`${collection.name} ${row.id}`)
      expect(line?.kind).not.toBe("deleted")
      const stored: Json = {}
      for (const [name, value] of Object.entries(row)) {
        const rollup = collection.fields.get(name.replace(/_(sum|count)$/, ""))?.kind === "rollup"
        if (name !== "pk" && !rollup) stored[name] = value
      }
      for (const { name } of many) {
        const links = await query(
          `SELECT target, position FROM ${collection.name}_${name} WHERE source = ? ORDER BY position`,
          [row.id as string],
        )
        const positions = links.map(({ position }) => position as number)
        expect(positions).toEqual([...new Set(positions)].toSorted((a, b) => a - b))
        stored[name] = links.map(({ target }) => target)
      }
      expect(JSON.parse(line?.payload ?? "null")).toEqual(stored)
    }
    for (const { name } of many) {
      const orphans = `SELECT * FROM ${collection.name}_${name} WHERE source NOT IN (SELECT id FROM ${collection.name})`
      expect(await query(orphans)).toEqual([])
    }
    const rollups = [...collection.fields.values()].filter(({ kind }) => kind === "rollup")
    const recompute = recomputeRollups(collection)
    if (recompute) {
      const names = rollups.map(({ name }) => `"${name}"`).join(", ")
      const kept = () => query(`SELECT id, ${names} FROM ${collection.name} ORDER BY id`)
      const before = await kept()
      await query(recompute)
      expect(await kept()).toEqual(before)
    }
    for (const summary of collection.summaries) {
      const kept = () => query(`SELECT * FROM ${summary.table}`)
      const before = await kept()
      for (const statement of recomputeSummary(collection, summary)) await query(statement)
      expect(await kept()).toEqual(before)
    }
    if (collection.searchFields.length) {
      const table = `${collection.name}_search`
      await query(`INSERT INTO ${table}(${table}) VALUES ('integrity-check')`)
    }
  }
  const left = [...latest.values()].filter(({ kind, subject }) => {
    const builtIn = collections.get(subject)?.builtIn ?? true
    return kind !== "deleted" && !builtIn
  })
  expect(left).toEqual([])
  expect(await query("PRAGMA foreign_key_check")).toEqual([])
  expect(await query("SELECT * FROM cascades")).toEqual([])
}
