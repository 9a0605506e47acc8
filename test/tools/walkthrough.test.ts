import { spawnSync } from "node:child_process"
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { copyProject } from "./project-copy.ts"
import {
  applyDiff,
  type Block,
  blocksOf,
  findMissingLines,
  patternOf,
  readWalkthrough,
  startDev,
  startShell,
} from "./walkthrough.ts"

/*
 * The README's walk-through, executed: a reader who follows it to the letter gets what it shows.
 */

const walkthrough = readWalkthrough()
const { directory, remove } = copyProject()
const env = { ...process.env, PATH: `${directory}/node_modules/.bin:${process.env.PATH}` }
let dev: Awaited<ReturnType<typeof startDev>>
let shell: ReturnType<typeof startShell>

beforeAll(async () => {
  dev = await startDev(directory, env)
  await dev.says("ready at …")
  shell = startShell(directory, env)
})
afterAll(async () => {
  shell?.end()
  await dev?.end()
  remove()
})

test("every step does what the README says", async () => {
  let output = ""
  for (const block of blocksOf(walkthrough)) {
    const { language, about, text } = block
    if (language === "ts") writeFileSync(join(directory, about), text)
    else if (language === "diff") change(block)
    else if (language === "sh")
      output = await shell.run(text.replaceAll("localhost:8787", `127.0.0.1:${dev.port}`))
    else if (about === "npm run dev") await dev.says(text)
    else expect([text, findMissingLines(output, text), output]).toEqual([text, [], output])
  }
})

/** In an app that was emptied, the list to which a collection is added is another. */
function change(block: Block): void {
  const path = join(directory, block.about)
  const text = readFileSync(path, "utf8")
  if (!text.includes("collections = [] as const")) applyDiff(directory, block)
  else
    writeFileSync(
      path,
      `import { notes } from "./notes.ts"\n${text.replace("[] as const", "[notes] as const")}`,
    )
}

test("each mistake is answered with the message that the README shows", async () => {
  await dev.end()
  const field = /text: text\(.*\),/
  expectDocumented(
    changed("src/app/notes.ts", /owner = @me.id \|\|/, "writer = @me.id ||", migrate),
    "The read rule",
  )
  expectDocumented(
    changed("src/app/notes.ts", field, "$& title: text({ required: true }),", migrate),
    "notes.title is required",
  )
  expectDocumented(
    changed("src/app/notes.ts", field, "content: text({ required: true }),", migrate),
    "notes.text is gone",
  )
  expectDocumented(
    changed(
      "src/app/notes.ts",
      field,
      'text: { ...text({ required: true }), kind: "integer" },',
      migrate,
    ),
    "notes must be made anew",
  )
  expectDocumented(
    changed("src/app/collections.ts", /,? ?\bnotes\] as/, "] as", migrate),
    "src/app/notes.ts defines",
  )

  const [adding = "", renaming = ""] = globSync("migrations/*_app_*notes*.sql", {
    cwd: directory,
  }).sort()
  const unmigrated = () => changed(renaming, /[\s\S]*/, "", () => program("dev-check"))
  expectDocumented(changed(adding, /[\s\S]*/, "", unmigrated), 'Collection "notes" has no table')

  writeFileSync(
    join(directory, adding),
    `${readFileSync(join(directory, adding), "utf8")}-- edited\n`,
  )
  const again = await startDev(directory, env)
  const started = again.says("ready at …").then(() => "it started")
  expectDocumented(await started.catch((error: Error) => error.message), "migrations/")
})

/** What a tool says to a file in which one thing is different. */
function changed(path: string, pattern: RegExp, replacement: string, ask: () => string): string {
  const file = join(directory, path)
  const text = readFileSync(file, "utf8")
  expect(text).toMatch(pattern)
  writeFileSync(file, text.replace(pattern, replacement))
  const said = ask()
  writeFileSync(file, text)
  return said
}

const program = (tool: string, ...parameters: string[]): string => {
  const options = { cwd: directory, encoding: "utf8", env } as const
  const { stdout, stderr } = spawnSync("node", [`src/tools/${tool}.ts`, ...parameters], options)
  return stdout + stderr
}
const migrate = () => program("migrate-new", "next")

/** The message is one of the README's table, and what was said is that message. */
function expectDocumented(said: string, start: string): void {
  const documented = [...walkthrough.matchAll(/\| `(.*)` \|$/gm)].map(([, message = ""]) => message)
  const message = documented.find((line) => line.startsWith(start))
  expect(message, `the README shows no message that starts with ${start}`).toBeDefined()
  expect(said).toMatch(patternOf(message ?? ""))
}
