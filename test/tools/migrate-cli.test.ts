import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, expect, onTestFinished, test } from "vitest"
import { copyProject } from "./project-copy.ts"

/*
 * The command itself, in a copy of the project.
 */

let directory: string
beforeAll(() => {
  const copy = copyProject()
  directory = copy.directory
  return copy.remove
})

function migrate(...parameters: string[]) {
  const { status, stdout, stderr } = spawnSync(
    "node",
    ["src/tools/migrate-new.ts", ...parameters],
    {
      cwd: directory,
      encoding: "utf8",
    },
  )
  return { status, output: stdout + stderr }
}

/** Writes a file of the app for the length of a test. */
function write(path: string, change: (text: string) => string): void {
  const file = join(directory, path)
  const before = readFileSync(file, "utf8")
  writeFileSync(file, change(before))
  onTestFinished(() => writeFileSync(file, before))
}

test("without a name, or with a flag that it does not know, it says how it is used", () => {
  expect(migrate()).toMatchObject({
    status: 1,
    output: expect.stringMatching(/^npm run migrate:new <name>/),
  })
  expect(migrate("a", "b").status).toBe(1)
  expect(migrate("a", "--force")).toMatchObject({
    status: 1,
    output: expect.stringContaining("Unknown option '--force'"),
  })
})

test("when nothing is to do it says so, and writes nothing", () => {
  const before = readdirSync(join(directory, "migrations"))
  expect(migrate("more")).toEqual({ status: 0, output: expect.stringMatching(/^Nothing to do/) })
  expect(readdirSync(join(directory, "migrations"))).toEqual(before)
})

test("hooks may import what only exists in workerd", () => {
  write(
    "src/app/collections.ts",
    (text) => `import { env } from "cloudflare:workers"\n${text}\nvoid env\n`,
  )
  expect(migrate("more")).toMatchObject({ status: 0 })
})

test("a wrong definition is explained without a stack", () => {
  write("src/app/collections.ts", (text) =>
    text
      .replace("as const", "as const satisfies object[]")
      .replace("= [", '= [{ name: "Bad Name", options: { fields: {} } }, '),
  )
  const { status, output } = migrate("more")
  expect(status).toBe(1)
  expect(output).toMatch(/^"Bad Name" cannot name a collection: [^\n]*\n$/)
})

test("a list of another name is explained", () => {
  write("src/app/collections.ts", (text) => text.replace("const collections", "const collection"))
  expect(migrate("more").output).toContain(
    "src/app/collections.ts must export the list of collections",
  )
})

test("the name becomes part of the file's name, and --core marks the project's own", () => {
  write("src/app/collections.ts", (text) =>
    text.replace("= [", '= [{ name: "extras", options: { fields: {} } }, '),
  )
  expect(migrate("Add Extras!", "--core")).toEqual({
    status: 0,
    output: expect.stringMatching(
      /^migrations\/\d{14}_core_add-extras\.sql\n {2}new collection extras\n\nRead it\./,
    ),
  })
})
