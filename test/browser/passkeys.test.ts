import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startServer, type TestServer } from "../support/server.ts"
import {
  executablePath,
  launchBrowser,
  plugInAuthenticator,
  type Visitor,
  visit,
} from "./browser.ts"

let server: TestServer
let browser: Browser
/** WebAuthn asks for a domain, and an address is none. */
let origin: string

const password = "correct horse battery"

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Sends from the page, with the cookies of the browser. */
const ask = (page: Page, path: string, body?: object, method = "POST"): Promise<Answer> =>
  page.evaluate(
    async ([path, body, method]) => {
      const response = await fetch(path as string, {
        method: method as string,
        ...(body !== null && {
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      })
      const text = await response.text()
      return { status: response.status, body: text ? JSON.parse(text) : {} }
    },
    [path, body ?? null, method] as const,
  )

/** As a page of the product would: the options of the server go to the browser, its answer goes back as JSON. */
const create = (page: Page, options: object): Promise<object> =>
  page.evaluate(async (json) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      json as PublicKeyCredentialCreationOptionsJSON,
    )
    const made = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential
    return made.toJSON() as object
  }, options)

const get = (page: Page, options: object): Promise<object> =>
  page.evaluate(async (json) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
      json as PublicKeyCredentialRequestOptionsJSON,
    )
    const found = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential
    return found.toJSON() as object
  }, options)

interface Key {
  readonly verified: boolean
}

/**
 * A visitor whose browser has an authenticator, as laptops and phones do, on a page of a product: an empty one, because
 * the server's own need not be there, and their policies let no script speak to the API.
 */
async function visitWithKey(key: Key = { verified: true }): Promise<Visitor> {
  const visitor = await visit(browser, "about:blank")
  const page = `${origin}/page-of-a-product`
  await visitor.page.route(page, (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Product</title>" }),
  )
  await visitor.page.goto(page)
  await plugInAuthenticator(visitor.page, key.verified)
  return visitor
}

async function signUp(page: Page): Promise<{ email: string; password: string }> {
  const credentials = { email: `${crypto.randomUUID()}@example.org`, password }
  expect((await ask(page, "/auth/users", credentials)).status).toBe(201)
  expect((await ask(page, "/auth/sessions", credentials)).status).toBe(201)
  return credentials
}

async function addPasskey(page: Page, secondFactor: boolean): Promise<Answer> {
  const options = await ask(page, "/auth/passkeys/registrations", { secondFactor })
  expect(options.status).toBe(201)
  const response = await create(page, options.body)
  return ask(page, "/auth/passkeys", {
    challenge: options.body.challenge,
    response,
    name: "Laptop",
  })
}

describe.skipIf(!executablePath)("passkeys in Chromium", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
    origin = server.url.replace("127.0.0.1", "localhost")
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("a passkey is made, signs in without a name, proves, and goes", async () => {
    const { page, complaints } = await visitWithKey()
    const { email } = await signUp(page)
    const added = await addPasskey(page, false)
    expect(added).toMatchObject({ status: 201, body: { name: "Laptop", secondFactor: false } })
    await ask(page, "/auth/sessions/current", undefined, "DELETE")
    expect((await ask(page, "/auth/passkeys", undefined, "GET")).status).toBe(401)

    const options = await ask(page, "/auth/passkeys/challenges", {})
    const passkey = await get(page, options.body)
    const answer = { challenge: options.body.challenge, passkey }
    const signedIn = await ask(page, "/auth/sessions", answer)
    expect(signedIn).toMatchObject({ status: 201, body: { user: { email } } })

    const proof = await ask(page, "/auth/sessions/current/challenges")
    const shown = await get(page, proof.body)
    const proved = await ask(page, "/auth/sessions/current/proofs", {
      challenge: proof.body.challenge,
      passkey: shown,
    })
    expect(proved.status).toBe(201)

    const removal = await ask(page, `/auth/passkeys/${added.body.id}`, undefined, "DELETE")
    expect(removal.status).toBe(204)
    expect(complaints).toEqual([expect.stringContaining("401")])
    await page.context().close()
  })

  test("a passkey that is the second factor is asked for after the password", async () => {
    const { page, complaints } = await visitWithKey({ verified: false })
    const credentials = await signUp(page)
    const added = await addPasskey(page, true)
    expect(added.status).toBe(201)
    expect(added.body.recoveryCodes).toHaveLength(10)

    const first = await ask(page, "/auth/sessions", credentials)
    expect(first).toMatchObject({ status: 401, body: { code: "second_factor_required" } })
    const { challenge } = first.body
    const options = await ask(page, "/auth/passkeys/challenges", { challenge })
    const passkey = await get(page, options.body)
    const second = await ask(page, "/auth/sessions", { challenge, passkey })
    expect(second).toMatchObject({ status: 201, body: { user: { email: credentials.email } } })

    // Without PIN or finger it is one factor, and alone it is not enough.
    const alone = await ask(page, "/auth/passkeys/challenges", {})
    const shown = await get(page, {
      ...alone.body,
      userVerification: "discouraged",
      allowCredentials: options.body.allowCredentials,
    })
    const refused = await ask(page, "/auth/sessions", {
      challenge: alone.body.challenge,
      passkey: shown,
    })
    expect(refused).toMatchObject({ status: 401, body: { code: "code_invalid" } })
    expect(complaints).toEqual([expect.stringContaining("401"), expect.stringContaining("401")])
    await page.context().close()
  })
})
