import { createHash } from "node:crypto"
import { describe, expect, test } from "vitest"
import { unstable_readConfig as readConfig } from "wrangler"
import { type Command, DeploymentStopped, deploy } from "../../src/tools/deploy-steps.ts"

/** An account as wrangler would show it: what it has, what it was told, and where it fails. */
function account(
  has: {
    databases?: string[]
    queues?: string[]
    secrets?: string[] | null
    failsAt?: string
  } = {},
) {
  const { databases = [], queues = [], secrets = null, failsAt } = has
  const commands: Command[] = []
  const run = async (command: Command): Promise<string> => {
    const text = command.parameters.join(" ")
    if (failsAt && text.startsWith(failsAt)) throw new Error(`wrangler ${text} failed:\nno luck`)
    if (text === "secret list --format json") {
      if (!secrets) throw new Error(`wrangler ${text} failed:\nWorker "hinterland" not found.\n`)
      return JSON.stringify(secrets.map((name) => ({ name, type: "secret_text" })))
    }
    if (text.startsWith("queues info") && !queues.includes(command.parameters[2] as string)) {
      throw new Error(`wrangler ${text} failed:\nQueue "${command.parameters[2]}" does not exist.`)
    }
    commands.push(command)
    if (text === "d1 list --json") return JSON.stringify(databases.map((name) => ({ name })))
    if (text.startsWith("d1 time-travel")) return '{"bookmark": "00000042-beef"}'
    if (text === "deploy --minify") return "Deployed\n  https://hinterland.ann.workers.dev\n"
    return ""
  }
  // What is asked of the database changes nothing there.
  const sequence = () =>
    commands
      .filter(({ parameters }) => !parameters.at(-1)?.startsWith("SELECT"))
      .map(({ parameters }) => parameters.join(" "))
      .map((line) => line.replace(/ --remote --json --command .*/, " records checksums"))
  return { run, sequence, commands }
}

const database = { binding: "DB", database_name: "hinterland" }
const migrations = [{ name: "1_core_notes.sql", sql: "CREATE TABLE notes (id TEXT)" }]
const resources = { databases: [database], queues: ["hinterland-jobs"], migrations }
const quiet = () => {}

describe("a first deploy", () => {
  test("creates, gives secrets, migrates, and only then serves", async () => {
    const { run, sequence } = account()
    await deploy(run, "hinterland", resources, quiet)
    expect(sequence()).toEqual([
      "deploy --dry-run --minify",
      "d1 list --json",
      "d1 create hinterland",
      "queues create hinterland-jobs",
      "secret bulk",
      "d1 time-travel info hinterland --json",
      "d1 migrations apply hinterland --remote",
      "d1 execute hinterland records checksums",
      "deploy --minify",
      "secret bulk",
    ])
  })

  test("answers a code of which the account holds only the hash", async () => {
    const { run, commands } = account()
    const { adminCode, url } = await deploy(run, "hinterland", resources, quiet)
    const hash = createHash("sha256")
      .update(adminCode ?? "")
      .digest("hex")
    expect(commands.at(-1)?.input).toBe(JSON.stringify({ ADMIN_CODE_HASH: hash }))
    expect(url).toBe("https://hinterland.ann.workers.dev")
  })

  test("puts no secret on a command line", async () => {
    const { run, commands } = account()
    const { adminCode } = await deploy(run, "hinterland", resources, quiet)
    const secrets = commands.flatMap(({ input }) =>
      input ? Object.values(JSON.parse(input) as Record<string, string>) : [],
    )
    expect(secrets).toHaveLength(3)
    const lines = commands.map(({ parameters }) => parameters.join(" ")).join("\n")
    for (const secret of [...secrets, adminCode ?? ""]) expect(lines).not.toContain(secret)
  })

  test("makes an Ed25519 key and 32 random bytes", async () => {
    const { run, commands } = account()
    await deploy(run, "hinterland", resources, quiet)
    const put = commands.find(({ parameters }) => parameters.join(" ") === "secret bulk")
    const { SECRET, SIGNING_KEYS } = JSON.parse(put?.input ?? "{}") as Record<string, string>
    expect(Buffer.from(SECRET ?? "", "base64url")).toHaveLength(32)
    expect(JSON.parse(SIGNING_KEYS ?? "[]")).toEqual([
      {
        kid: expect.any(String),
        kty: "OKP",
        crv: "Ed25519",
        x: expect.any(String),
        d: expect.any(String),
      },
    ])
  })
})

describe("a later deploy", () => {
  const settled = {
    databases: ["hinterland"],
    queues: ["hinterland-jobs"],
    secrets: ["SECRET", "SIGNING_KEYS", "ADMIN_CODE_HASH"],
  }

  test("replaces nothing that exists", async () => {
    const { run, sequence } = account(settled)
    const { adminCode } = await deploy(run, "hinterland", resources, quiet)
    expect(sequence()).toEqual([
      "deploy --dry-run --minify",
      "d1 list --json",
      "queues info hinterland-jobs",
      "d1 time-travel info hinterland --json",
      "d1 migrations apply hinterland --remote",
      "d1 execute hinterland records checksums",
      "deploy --minify",
    ])
    expect(adminCode).toBeNull()
  })

  test("generates only the secret that is missing", async () => {
    const { run, commands } = account({ ...settled, secrets: ["SECRET", "ADMIN_CODE_HASH"] })
    await deploy(run, "hinterland", resources, quiet)
    const put = commands.filter(({ input }) => input).map(({ input }) => JSON.parse(input ?? ""))
    expect(put.map((secrets) => Object.keys(secrets as object))).toEqual([["SIGNING_KEYS"]])
  })

  test("says to which bookmark the database can go back", async () => {
    const lines: string[] = []
    await deploy(account(settled).run, "hinterland", resources, (line) => lines.push(line))
    expect(lines.join("\n")).toContain("d1 time-travel restore hinterland --bookmark=00000042-beef")
  })

  test("migrates each database once, by its name", async () => {
    const { run, sequence } = account({ ...settled, databases: ["hinterland", "acme"] })
    const bindings = [
      database,
      { binding: "DIRECTORY", database_name: "hinterland" },
      { binding: "DB_ACME", database_name: "acme", database_id: "1" },
    ]
    await deploy(run, "hinterland", { databases: bindings, queues: [], migrations }, quiet)
    expect(sequence().filter((line) => line.includes("migrations apply"))).toEqual([
      "d1 migrations apply hinterland --remote",
      "d1 migrations apply acme --remote",
    ])
  })
})

describe("a failure", () => {
  test.for([
    ["deploy --dry-run", []],
    ["d1 create", ["deploy --dry-run --minify", "d1 list --json"]],
    ["queues create", ["deploy --dry-run --minify", "d1 list --json", "d1 create hinterland"]],
    [
      "secret bulk",
      [
        "deploy --dry-run --minify",
        "d1 list --json",
        "d1 create hinterland",
        "queues create hinterland-jobs",
      ],
    ],
    [
      "d1 migrations apply",
      [
        "deploy --dry-run --minify",
        "d1 list --json",
        "d1 create hinterland",
        "queues create hinterland-jobs",
        "secret bulk",
        "d1 time-travel info hinterland --json",
      ],
    ],
  ] as const)("at `%s` stops there and says how to go on", async ([failsAt, before]) => {
    const { run, sequence } = account({ failsAt })
    const stopped = await deploy(run, "hinterland", resources, quiet).catch((error) => error)
    expect(stopped).toBeInstanceOf(DeploymentStopped)
    expect(stopped.message).toMatch(/^Stopped at: .*npm run deploy again/s)
    expect(sequence()).toEqual(before)
  })

  test("to list the secrets for another reason replaces none of them", async () => {
    const { run, sequence } = account({ failsAt: "secret list" })
    await expect(deploy(run, "hinterland", resources, quiet)).rejects.toThrow(DeploymentStopped)
    expect(sequence()).not.toContain("secret bulk")
  })
})

test("what is deployed writes logs and traces, and neither holds a query string", () => {
  const { observability, vars } = readConfig({ config: "wrangler.toml" })
  expect(observability).toMatchObject({
    enabled: true,
    redact_query_string: true,
    logs: { enabled: true },
    traces: { enabled: true },
  })
  // What stands here can be read by anyone who can read the code.
  expect(Object.keys(vars).filter((name) => /secret|key|password|token/i.test(name))).toEqual([])
})
