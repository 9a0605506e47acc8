import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, expect, test } from "vitest"
import { collections as listed } from "../../src/app/collections.ts"
import { linkOrganisationRoles } from "../../src/core/identity/organisation-roles.ts"
import { recordsFor } from "../../src/core/records/api.ts"
import { type Collection, collection } from "../../src/core/records/collection.ts"
import { schemaObjects } from "../../src/core/records/ddl.ts"
import {
  boolean,
  choice,
  expression,
  integer,
  relation,
  relations,
  text,
} from "../../src/core/records/fields.ts"
import {
  type LinkedCollection,
  type LinkedCollections,
  linkCollections,
} from "../../src/core/records/link.ts"
import { personasOf } from "../../src/core/records/personas.ts"
import type { App } from "../../src/platform/app.ts"
import { Problem } from "../../src/platform/problem.ts"
import { toolApp } from "../../src/tools/dev-database.ts"
import { addSample, sampleCast } from "../../src/tools/exposure/sample.ts"
import { type ExposureOf, exposureText } from "../../src/tools/exposure/text.ts"
import { exposureOf, measureAll, staleExposure } from "../../src/tools/exposure.ts"
import { withLocalD1 } from "../../src/tools/migrations/local-d1.ts"
import { applyMigrations, listMigrations } from "../../src/tools/migrations.ts"
import { generateSecrets } from "../../src/tools/secrets.ts"

const notes = (rules: Collection["options"]["rules"]) =>
  collection("notes", {
    fields: {
      owner: relation("members", { required: true, default: expression("@me.id") }),
      status: choice(["draft", "open"], { required: true }),
      secret: text({ readable: "owner = @me.id" }),
      price: integer({ writable: 'has(@me.roles, "clerk")' }),
      shared: boolean(),
    },
    ...(rules && { rules }),
  })
const rules = {
  read: 'owner = @me.id || status = "open"',
  create: "owner = @me.id",
  update: { before: "owner = @me.id", after: 'status = "draft"' },
  delete: "false",
}
const desks = collection("desks", {
  fields: { name: text({ required: true }), notes: relations("notes") },
  scope: "organisation",
  rules: { read: "@me.id != null", update: 'has(@me.roles, "admin")' },
})

/** The lines of a collection, as `action persona: amount`, without those of whoever reaches nothing. */
async function measured(definitions: readonly Collection[]): Promise<string[]> {
  const state = mkdtempSync(join(tmpdir(), "exposure-"))
  try {
    return await withLocalD1(state, "DB", async (database) => {
      const core = listMigrations().filter(({ name }) => name.includes("_core_"))
      await applyMigrations(database, core)
      const collections = linkCollections(definitions)
      const objects = [...schemaObjects(collections.values())]
      await database.batch(objects.map(({ sql }) => database.prepare(sql)))
      const app = toolApp({ DB: database }, generateSecrets())
      expect(await addSample(app, collections)).toEqual([])
      const roles = new Set(linkOrganisationRoles().keys())
      const personas = personasOf(collections, roles, sampleCast)
      const exposures = await measureAll(app, collections, personas)
      await expectListsToAgree(app, collections, exposures)
      return exposureText(personas, exposures, "")
        .split("\n")
        .filter((line) => /^(notes|desks)/.test(line) && !line.endsWith(" -"))
        .map((line) => line.replace(/ +/g, " "))
    })
  } finally {
    rmSync(state, { recursive: true })
  }
}

/** What is counted for a read is what a list with `count=exact` answers that persona. */
async function expectListsToAgree(
  app: App,
  collections: LinkedCollections,
  exposures: readonly ExposureOf[],
): Promise<void> {
  for (const { collection: name, persona, action, rows } of exposures) {
    if (action !== "read") continue
    const { definition } = collections.get(name) as LinkedCollection
    const list = recordsFor(app, persona.actor, collections).list(definition, { count: "exact" })
    const count = await list.then(
      (page) => page.count,
      (error: Error) => (error instanceof Problem ? 0 : error),
    )
    expect([name, persona.name, count]).toEqual([name, persona.name, rows])
  }
}

let before: string[]
beforeAll(async () => {
  before = await measured([notes(rules), desks])
})

test("each persona has what the rules give it, counted by the engine, with the fields that stay hidden", () => {
  // Two authors have two notes each, a draft and an open one; two organisations have two desks each.
  expect(before).toEqual([
    "notes read anonymous 2 of 4, without secret",
    "notes read stranger 2 of 4, without secret",
    "notes read owner 3 of 4, without secret (of 1)",
    "notes read clerk 2 of 4, without secret",
    "notes read org admin 2 of 4, without secret",
    "notes read org member 2 of 4, without secret",
    "notes read other org 2 of 4, without secret",
    "notes read administrator all 4, without secret",
    "notes create owner 2 of 4, without price",
    "notes create administrator all 4",
    "notes update owner 1 of 4, without price",
    "notes update administrator all 4",
    "notes delete administrator all 4",
    "desks read org admin 2 of 4",
    "desks read org member 2 of 4",
    "desks read other org 2 of 4",
    "desks update org admin 2 of 4",
  ])
})

test("a change of rules shows as the lines of who gained or lost what", async () => {
  const after = await measured([
    notes({
      ...rules,
      read: '@me.id != null && status = "open"',
      delete: 'has(@me.roles, "clerk")',
    }),
    desks,
  ])
  expect(after.filter((line) => !before.includes(line))).toEqual([
    "notes read owner 2 of 4, without secret (of 1)",
    "notes delete clerk 2 of 4",
  ])
  expect(before.filter((line) => !after.includes(line))).toEqual([
    "notes read anonymous 2 of 4, without secret",
    "notes read owner 3 of 4, without secret (of 1)",
    "notes update owner 1 of 4, without price",
  ])
})

test("the file in git says what the rules say", async () => {
  expect(staleExposure(await exposureOf(listed))).toBeNull()
})

test("a stale file is told with the command that mends it", () => {
  expect(staleExposure("something else")).toBe(
    'src/app/exposure.txt does not say what the rules say now: run "npm run exposure", and read the diff.',
  )
})
