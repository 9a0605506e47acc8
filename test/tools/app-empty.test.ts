import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { emptyApp, findUnsaved } from "../../src/tools/app-empty.ts"
import { copyProject } from "./project-copy.ts"

function copy() {
  const { directory, remove } = copyProject()
  onTestFinished(remove)
  const run = (program: string, ...parameters: string[]) => {
    const path = `${directory}/node_modules/.bin:${process.env.PATH}`
    return spawnSync(program, parameters, {
      cwd: directory,
      encoding: "utf8",
      env: { ...process.env, PATH: path },
    })
  }
  return { directory, run }
}

test("what is left of the app is empty, typed, formatted, and in need of no migration", () => {
  const { directory, run } = copy()
  emptyApp(directory)
  expect(readdirSync(join(directory, "src/app")).sort()).toEqual([
    "collections.ts",
    "console.ts",
    "hooks.ts",
    "images.ts",
    "jobs.ts",
    "routes.ts",
  ])
  expect(
    readdirSync(join(directory, "migrations")).filter((name) => name.includes("_app_")),
  ).toEqual([])
  const types = run("tsc", "--noEmit")
  expect(types.stdout).toBe("")
  expect(run("biome", "ci", "--vcs-enabled=false", "src/app")).toMatchObject({ status: 0 })
  expect(run("node", "src/tools/migrate-new.ts", "first").stdout).toContain("Nothing to do")
})

test("emptying an empty app changes nothing", () => {
  const { directory } = copy()
  emptyApp(directory)
  expect(emptyApp(directory)).toEqual([])
})

test("nothing is removed that git could not bring back, unless told", () => {
  const { directory, run } = copy()
  const git = (...parameters: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...parameters], {
      cwd: directory,
    })
  const empty = (...parameters: string[]) => run("node", "src/tools/app-empty.ts", ...parameters)
  expect(empty().stderr).toContain("This is no git repository")
  git("init", "--quiet")
  expect(empty().stderr).toContain(
    "There are changes that git does not have yet: commit them first, or insist with npm run app:empty -- --force.",
  )
  rmSync(join(directory, "node_modules"))
  git("add", "--all")
  git("commit", "--quiet", "--message", "all")
  expect(findUnsaved(directory)).toBeNull()
  expect(existsSync(join(directory, "src/app/collections.ts"))).toBe(true)
})
