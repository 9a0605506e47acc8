import { once } from "node:events"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { freePort } from "../support/free-port.ts"
import { type OidcIssuer, startOidcIssuer } from "../support/oidc-issuer.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser, visit } from "./browser.ts"

/*
 * Against an issuer that nobody here wrote, on another site than the Worker: the one is 127.0.0.1, the other localhost.
 */
let issuer: OidcIssuer
let server: TestServer
let origin: string

const client = { clientId: "club", clientSecret: "a password of the club's own" }

beforeAll(async () => {
  const port = await freePort()
  origin = `http://localhost:${port}`
  issuer = await startOidcIssuer({
    ...client,
    redirectUris: [`${origin}/auth/providers/acme/callback`, `${origin}/program`],
  })
  const acme = { name: "acme", label: "Acme", kind: "oidc", issuer: issuer.url, ...client }
  server = await startServer({
    port,
    variables: { PUBLIC_URL: origin, IDENTITY_PROVIDERS: JSON.stringify([acme]) },
  })
})
afterAll(async () => {
  await server?.stop()
  await issuer?.stop()
})

/** A browser without a window: cookies of both sites, redirects one by one. */
function newAgent() {
  const jars = new Map<string, Map<string, string>>()

  async function send(url: string, init: RequestInit = {}): Promise<Response> {
    const { host } = new URL(url)
    const jar = jars.get(host) ?? new Map<string, string>()
    jars.set(host, jar)
    const headers = new Headers(init.headers)
    if (jar.size > 0) headers.set("cookie", [...jar].map((pair) => pair.join("=")).join("; "))
    const answer = await fetch(url, { ...init, headers, redirect: "manual" })
    for (const line of answer.headers.getSetCookie()) {
      const [name = "", value = ""] = (line.split(";")[0] as string).split(/=(.*)/s)
      if (value === "") jar.delete(name)
      else jar.set(name, value)
    }
    return answer
  }

  const post = (path: string, body: object, token?: string) =>
    send(`${origin}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        origin,
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })

  /** Signs in at the issuer, agrees, and answers where it sends the person back. */
  async function through(url: string, login: string): Promise<string> {
    let at = url
    for (let step = 0; step < 12; step++) {
      if (at.startsWith(origin)) return at
      const answer = await send(at)
      const next = answer.headers.get("location")
      if (next) {
        at = new URL(next, at).href
        continue
      }
      const page = await answer.text()
      const action = /<form[^>]*action="([^"]+)"/.exec(page)?.[1] as string
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] as string
      const sent = await send(new URL(action, at).href, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ prompt, login, password: "any" }),
      })
      at = new URL(sent.headers.get("location") as string, at).href
    }
    throw new Error("the issuer leads nowhere")
  }

  return { send, post, through }
}

const bodyOf = async <Body>(answer: Response, status: number): Promise<Body> => {
  const text = await answer.text()
  expect(answer.status, text).toBe(status)
  return JSON.parse(text) as Body
}

const beginOf = async (answer: Response) =>
  bodyOf<{ url: string; ticket: string | null }>(answer, 201)

test("a person signs in, comes back as the same, and one without a verified address does not", async () => {
  const people: string[] = []
  for (let visit = 0; visit < 2; visit++) {
    const agent = newAgent()
    const { url } = await beginOf(await agent.post("/auth/providers/acme/authorizations", {}))
    const back = await agent.through(url, "ann")
    expect(new URL(back).searchParams.get("iss")).toBe(issuer.url)
    const answer = await agent.send(back)
    expect([answer.status, answer.headers.get("location")]).toEqual([303, `${origin}/`])
    const me = await bodyOf<{ id: string; email: string; name: string }>(
      await agent.send(`${origin}/auth/me`),
      200,
    )
    expect([me.email, me.name]).toEqual(["ann@example.org", "Ann"])
    people.push(me.id)
    // The code is used up, and so is the ticket.
    const again = await agent.send(back)
    expect(again.status).toBe(401)
  }
  expect(new Set(people).size).toBe(1)

  const agent = newAgent()
  const { url } = await beginOf(await agent.post("/auth/providers/acme/authorizations", {}))
  const answer = await agent.send(await agent.through(url, "unverified-bob"))
  expect(answer.headers.get("location")).toBe(`${origin}/#error=email_unverified`)
})

test("what one browser brings back is of no use in another", async () => {
  const [victim, thief] = [newAgent(), newAgent()]
  const { url } = await beginOf(await victim.post("/auth/providers/acme/authorizations", {}))
  const back = await victim.through(url, "carol")
  await thief.post("/auth/providers/acme/authorizations", {})
  expect((await thief.send(back)).status).toBe(401)
  expect((await victim.send(back)).headers.get("location")).toBe(`${origin}/`)
})

test("a program signs in by itself, and its code is good once", async () => {
  const agent = newAgent()
  const redirectUri = `${origin}/program`
  const { url, ticket } = await beginOf(
    await agent.post("/auth/providers/acme/authorizations", { redirectUri }),
  )
  const { searchParams } = new URL(await agent.through(url, "dave"))
  const returned = { ticket, ...Object.fromEntries(searchParams) }
  const session = await bodyOf<{ user: { email: string } }>(
    await agent.post("/auth/sessions", returned),
    201,
  )
  expect(session.user.email).toBe("dave@example.org")
  expect((await agent.post("/auth/sessions", returned)).status).toBe(401)
})

test("whoever has an account links, and then signs in with either", async () => {
  const agent = newAgent()
  const credentials = { email: "erin@example.org", password: "correct horse battery" }
  const { id } = await bodyOf<{ id: string }>(await agent.post("/auth/users", credentials), 201)
  const refused = await beginOf(await agent.post("/auth/providers/acme/authorizations", {}))
  const stranger = await agent.send(await agent.through(refused.url, "erin"))
  expect(stranger.headers.get("location")).toBe(`${origin}/#error=identity_not_linked`)

  const { accessToken } = await bodyOf<{ accessToken: string }>(
    await agent.post("/auth/sessions", credentials),
    201,
  )
  const { url } = await beginOf(
    await agent.post("/auth/identities/authorizations", { provider: "acme" }, accessToken),
  )
  const linked = await agent.send(await agent.through(url, "erin"))
  expect(linked.headers.get("location")).toBe(`${origin}/`)

  const other = newAgent()
  const begun = await beginOf(await other.post("/auth/providers/acme/authorizations", {}))
  await other.send(await other.through(begun.url, "erin"))
  expect(await bodyOf(await other.send(`${origin}/auth/me`), 200)).toMatchObject({ id })
})

test("an issuer that takes its time is given five seconds, and its pages no more than they may have", async () => {
  // Bodies that do not end, from a server that does answer: the time-out is of the whole of it.
  const { createServer: serve } = await import("node:http")
  const slow = serve((_, response) => {
    response.writeHead(200, { "content-type": "application/json" })
    response.write('{"issuer":')
  }).listen(0, "127.0.0.1")
  await once(slow, "listening")
  const { port } = slow.address() as { port: number }
  const tar = { name: "tar", kind: "oidc", issuer: `http://127.0.0.1:${port}`, ...client }
  const second = await startServer({
    variables: { PUBLIC_URL: origin, IDENTITY_PROVIDERS: JSON.stringify([tar]) },
  })
  try {
    const answer = await fetch(`${second.url}/auth/providers/tar/authorizations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    })
    expect(await bodyOf<{ code: string }>(answer, 502)).toMatchObject({ code: "provider_failed" })
  } finally {
    await second.stop()
    slow.closeAllConnections()
    slow.close()
  }
})

describe.skipIf(!executablePath)("the film club in Chromium", () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
  })

  async function signInAtIssuer(page: Page, login: string): Promise<void> {
    await page.getByRole("button", { name: "Sign in", exact: true }).first().click()
    await page.getByRole("button", { name: "Sign in with Acme" }).click()
    await page.getByPlaceholder("Enter any login").fill(login)
    await page.getByPlaceholder("and password").fill("any")
    await page.getByRole("button", { name: "Sign-in" }).click()
    await page.getByRole("button", { name: "Continue" }).click()
  }

  test("a visitor signs in with the issuer, on the page where they were, and out again", async () => {
    const { page, complaints } = await visit(browser, `${origin}/?search=noir`)
    await signInAtIssuer(page, "grace")
    await page.getByText("Grace", { exact: true }).waitFor()
    expect(page.url()).toBe(`${origin}/?search=noir`)
    const cookies = await page.context().cookies(origin)
    const session = cookies.filter(({ name }) => name.startsWith("__Host-"))
    expect(session.map(({ name }) => name).filter((name) => name.includes("ticket"))).toEqual([])
    expect(session.every(({ httpOnly, secure }) => httpOnly && secure)).toBe(true)
    await page.getByRole("button", { name: "Sign out" }).click()
    await page.getByText("You are signed out.").waitFor()
    // What the issuer's own page lacks is not ours.
    expect(complaints.filter((one) => one.includes("Content Security Policy"))).toEqual([])
    await page.context().close()
  })

  test("who cannot be let in is told why", async () => {
    const { page } = await visit(browser, origin)
    await signInAtIssuer(page, "unverified-heidi")
    await page.getByRole("status").getByText("does not say that your address is yours").waitFor()
    expect(page.url()).toBe(`${origin}/`)
    await page.context().close()
  })
})
