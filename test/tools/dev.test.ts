import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { wantedAdministrator } from "../../src/tools/dev-administrator.ts"
import { greeting } from "../../src/tools/dev-greeting.ts"
import { lockStateDirectory } from "../../src/tools/dev-lock.ts"
import { loadDevelopmentSecrets } from "../../src/tools/dev-secrets.ts"
import { copyProject } from "./project-copy.ts"

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dev-test-"))
})
afterAll(() => rm(folder, { recursive: true }))

describe("development secrets", () => {
  test("are made once, and readable to nobody else", async () => {
    const state = join(folder, "secrets")
    const first = await loadDevelopmentSecrets(state)
    const second = await loadDevelopmentSecrets(state)
    expect(second).toEqual(first)
    expect((await stat(first.file)).mode & 0o777).toBe(0o600)
    expect(first.secrets.SECRET).toHaveLength(43)
    expect(JSON.parse(first.secrets.SIGNING_KEYS)).toMatchObject([{ kty: "OKP", crv: "Ed25519" }])
  })

  test("differ from one state directory to the next", async () => {
    const one = await loadDevelopmentSecrets(join(folder, "one"))
    const other = await loadDevelopmentSecrets(join(folder, "other"))
    expect(one.secrets.SECRET).not.toBe(other.secrets.SECRET)
  })
})

describe("the administrator that is asked for", () => {
  test.for([
    [{}, null],
    [{ ADMIN_EMAIL: "", ADMIN_PASSWORD: "" }, null],
    [
      { ADMIN_EMAIL: "ann@example.com", ADMIN_PASSWORD: "secret" },
      { email: "ann@example.com", password: "secret" },
    ],
  ] as const)("by %j is %j", ([variables, expected]) => {
    expect(wantedAdministrator(variables)).toEqual(expected)
  })

  test.for([
    [{ ADMIN_EMAIL: "ann@example.com" }, /both/],
    [{ ADMIN_PASSWORD: "secret" }, /both/],
    [{ ADMIN_EMAIL: "ann", ADMIN_PASSWORD: "secret" }, /"ann", which is not an e-mail/],
  ] as const)("by %j is refused", ([variables, message]) => {
    expect(() => wantedAdministrator(variables)).toThrow(message)
  })
})

describe("the lock of a state directory", () => {
  test("is free again after its release", async () => {
    const state = join(folder, "lock")
    for (const _ of [1, 2]) (await lockStateDirectory(state)).release()
  })

  test.for([
    ["a process that is gone", { pid: 2 ** 30, group: null }],
    ["a number that is ours by chance", { pid: process.pid, group: process.pid }],
    ["a number that is another program's by now", { pid: process.ppid, group: process.ppid }],
    ["nothing readable", null],
  ] as const)("is taken over from %s", async ([, holder]) => {
    const state = join(folder, "stale")
    const { release } = await lockStateDirectory(state)
    await writeFile(join(state, "development.lock"), holder ? JSON.stringify(holder) : "{")
    if (!holder) release()
    const lock = await lockStateDirectory(state)
    lock.holds(4_711)
    const held = JSON.parse(await readFile(join(state, "development.lock"), "utf8"))
    expect(held).toEqual({ pid: process.pid, group: 4_711 })
    lock.release()
  })
})

test("the greeting quotes whatever a password holds", () => {
  const administrator = { email: "ann@example.com", password: `it's "$HOME"`, made: true }
  const prepared = { envFile: "", administrator, examples: [], events: [], restarted: false }
  expect(greeting(prepared, 8787, "state")).toContain(
    `-d '{"email":"ann@example.com","password":"it'\\''s \\"$HOME\\""}'`,
  )
})

describe("npm run dev", () => {
  const started: ChildProcess[] = []
  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode) continue
      child.kill("SIGTERM")
      await once(child, "close")
    }
  })

  /** Starts it, and answers what it printed until it was ready or gone. */
  async function dev(port: number, variables: Record<string, string> = {}, cwd = ".") {
    const child = spawn(process.execPath, ["src/tools/dev.ts"], {
      cwd,
      env: { ...process.env, PORT: String(port), STATE_DIR: join(folder, "state"), ...variables },
      stdio: ["ignore", "pipe", "pipe"],
    })
    started.push(child)
    let printed = ""
    const closed = once(child, "close")
    const ready = new Promise<void>((resolve) => {
      const read = (chunk: Buffer) => {
        printed += chunk
        if (printed.includes("/auth/sessions")) resolve()
      }
      child.stdout.on("data", read)
      child.stderr.on("data", read)
    })
    await Promise.race([ready, closed])
    return { child, closed, printed: () => printed }
  }

  const signIn = (port: number, email: string, password: string) =>
    fetch(`http://127.0.0.1:${port}/auth/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password }),
    })

  test("serves, keeps its data when it is killed, and makes the administrator once", async () => {
    const port = await freePort()
    const ann = { ADMIN_EMAIL: "ann@example.com", ADMIN_PASSWORD: "ann's own password" }
    const first = await dev(port, ann)
    expect(first.printed()).toContain(`ready at http://127.0.0.1:${port}`)
    expect(first.printed().match(/^ {2}curl /gm)).toHaveLength(3)
    const health = await fetch(`http://127.0.0.1:${port}/health`)
    expect(await health.json()).toEqual({ status: "ok" })
    expect((await signIn(port, ann.ADMIN_EMAIL, ann.ADMIN_PASSWORD)).status).toBe(201)

    first.child.kill("SIGKILL")
    await first.closed
    const bob = { ADMIN_EMAIL: "bob@example.com", ADMIN_PASSWORD: "bob's own password" }
    const second = await dev(port, bob)
    expect(second.printed()).toContain("kept from the last run")
    expect((await signIn(port, bob.ADMIN_EMAIL, bob.ADMIN_PASSWORD)).status).toBe(401)
    expect((await signIn(port, ann.ADMIN_EMAIL, ann.ADMIN_PASSWORD)).status).toBe(201)

    second.child.kill("SIGTERM")
    expect((await second.closed)[0]).toBe(0)
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow()
  })

  test("takes its variables from .dev.vars, those that are no required secrets as well", async () => {
    const copy = copyProject()
    await writeFile(join(copy.directory, ".dev.vars"), 'ANONYMOUS_SESSIONS="on"\n')
    const port = await freePort()
    const { child, closed } = await dev(port, { STATE_DIR: "state" }, copy.directory)
    const begun = await fetch(`http://127.0.0.1:${port}/auth/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind: "anonymous" }),
    })
    expect(begun.status).toBe(201)
    child.kill("SIGTERM")
    await closed
    copy.remove()
  })

  test("says so when the port is taken, or no port at all", async () => {
    const other = createServer().listen(0, "127.0.0.1")
    await once(other, "listening")
    const { port } = other.address() as { port: number }
    const taken = await dev(port)
    expect((await taken.closed)[0]).toBe(1)
    expect(taken.printed()).toContain(`Port ${port} is taken`)
    other.close()
    const wrong = await dev(0, { PORT: "many" })
    expect((await wrong.closed)[0]).toBe(1)
    expect(wrong.printed()).toContain('PORT is "many"')
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  server.close()
  return port
}
