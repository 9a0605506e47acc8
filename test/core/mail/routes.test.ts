import { createExecutionContext } from "cloudflare:test"
import { Hono } from "hono"
import { Webhook } from "standardwebhooks"
import { beforeAll, expect, test, vi } from "vitest"
import { linkJobs } from "../../../src/core/jobs/registry.ts"
import { findSuppression, suppress } from "../../../src/core/mail/suppressions.ts"
import { unsubscribeLink } from "../../../src/core/mail/unsubscribe-link.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import type { OwnHttp } from "../../../src/core/records/reach.ts"
import { sql } from "../../../src/platform/sql.ts"
import { createRoutes } from "../../../src/routes.ts"
import { call, type Person, signedIn } from "../../support/people.ts"
import {
  appWith,
  attempt,
  bindings,
  caused,
  count,
  everything,
  jobsOf,
  mailOf,
  recordingMailer,
  stateOf,
} from "./cast.ts"

const app = appWith()
let root: Person
let bob: Person
beforeAll(async () => {
  root = await signedIn("root", ["administrator"])
  bob = await signedIn("bob")
})

/** The routes with variables of their own. */
const routes = createRoutes(linkCollections([]), linkJobs([], []), new Hono<OwnHttp>(), [
  everything,
])
const ask = (path: string, init: RequestInit = {}, variables: Record<string, string> = {}) =>
  routes.fetch(
    new Request(`http://127.0.0.1${path}`, init),
    { ...bindings, ...variables } as unknown as Env,
    createExecutionContext(),
  )

const json = async <Body>(answer: Response | Promise<Response>, status: number): Promise<Body> => {
  const response = await answer
  const text = await response.text()
  expect(response.status, text).toBe(status)
  return (text ? JSON.parse(text) : null) as Body
}

const code = async (answer: Response | Promise<Response>, status: number) =>
  (await json<{ code: string }>(answer, status)).code

interface Listed {
  items: { id: string; state: string; address: string; list: string | null; reason: string }[]
  next: string | null
}

test("mails and suppressions are for administrators", async () => {
  const id = await caused(app)
  for (const [method, path, body] of [
    ["GET", "/mails", undefined],
    ["GET", `/mails/${id}`, undefined],
    ["POST", `/mails/${id}/deliveries`, undefined],
    ["GET", "/mails/suppressions", undefined],
    ["POST", "/mails/suppressions", { address: "ann@example.test" }],
    ["DELETE", `/mails/suppressions/${id}`, undefined],
  ] as const) {
    expect(await code(call(null, method, path, body), 401)).toBe("unauthenticated")
    expect(await code(call(bob, method, path, body), 403)).toBe("forbidden")
  }
})

test("mails come in pages, the newest first, without their bodies, by state, template and address", async () => {
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.push(await caused(app, { email: "Pages@example.test" }))
  await attempt(app, ids[1] as string)
  const seen: string[] = []
  for (let cursor = ""; ; ) {
    const page = await json<Listed>(
      call(root, "GET", `/mails?limit=2&address=pages@EXAMPLE.test${cursor}`),
      200,
    )
    for (const item of page.items) {
      seen.push(item.id)
      expect(item).not.toHaveProperty("text")
      expect(item).not.toHaveProperty("addressNormalised")
    }
    if (page.next === null) break
    cursor = `&cursor=${page.next}`
  }
  expect(seen).toEqual(ids.toReversed())
  const sent = await json<Listed>(
    call(root, "GET", "/mails?state=sent&template=note&address=pages@example.test"),
    200,
  )
  expect(sent.items.map(({ id }) => id)).toEqual([ids[1]])
  expect((await json<Listed>(call(root, "GET", "/mails?template=none"), 200)).items).toEqual([])
  expect(await code(call(root, "GET", "/mails?state=lost"), 400)).toBe("invalid_input")
  expect(await code(call(root, "GET", "/mails?cursor=x"), 400)).toBe("invalid_cursor")
})

test("a mail has its bodies", async () => {
  const id = await caused(app)
  await attempt(app, id)
  const mail = await json<Record<string, unknown>>(call(root, "GET", `/mails/${id}`), 200)
  expect(mail).toMatchObject({ id, state: "sent", text: expect.stringContaining("The text") })
  expect(await code(call(root, "GET", `/mails/${app.newId()}`), 404)).toBe("not_found")
})

test("what is uncertain, failed or suppressed is delivered when an administrator says so; nothing else is", async () => {
  const id = await caused(app)
  await attempt(
    app,
    id,
    recordingMailer(() => ({ kind: "unknown", reason: "closed" })),
  )
  expect(await stateOf(app, id)).toBe("uncertain")
  const answer = await call(root, "POST", `/mails/${id}/deliveries`)
  // One for the session, one for all of the rest.
  expect(answer.headers.get("server-timing")).toContain('trips;desc="2"')
  expect(await json(answer, 202)).toMatchObject({ id, state: "waiting", error: null })
  // From here on it is the engine's, with the deployment's own driver.
  await expect.poll(() => stateOf(app, id)).toBe("sent")
  expect(await mailOf(app, id)).toMatchObject({ driver: "outbox", attempts: 2 })
  const jobs = await jobsOf(app, id)
  expect(await code(call(root, "POST", `/mails/${id}/deliveries`), 409)).toBe("conflict")
  for (const nothing of [app.newId(), "x", "%F0%9F%91%8D"]) {
    expect(await code(call(root, "POST", `/mails/${nothing}/deliveries`), 404)).toBe("not_found")
  }
  expect(await jobsOf(app, id)).toEqual(jobs)
})

test("a mail to a person goes to the address that the directory has, by the engine", async () => {
  const id = await caused(app, { user: bob.id })
  await call(root, "POST", `/mails/${id}/deliveries`)
  await expect.poll(() => stateOf(app, id)).toBe("sent")
  expect(await mailOf(app, id)).toMatchObject({ address: bob.email, name: "bob" })
})

test("mails of another database are found there", async () => {
  const second = appWith({ database: "second" })
  const id = await caused(second)
  expect(await code(call(root, "GET", `/mails/${id}`), 404)).toBe("not_found")
  await json(call(root, "GET", `/mails/${id}?database=second`), 200)
  const page = await json<Listed>(call(root, "GET", "/mails?database=second"), 200)
  expect(page.items.map((item) => item.id)).toContain(id)
  expect(await code(call(root, "GET", "/mails?database=third"), 400)).toBe("invalid_input")
})

test("administrators put addresses on the list, see who is on it, and take them off", async () => {
  const address = "Listed@example.test"
  const made = await json<Record<string, unknown>>(
    call(root, "POST", "/mails/suppressions", { address, detail: "asked by phone" }),
    201,
  )
  expect(made).toMatchObject({
    address: "listed@example.test",
    list: null,
    reason: "administrator",
    detail: "asked by phone",
  })
  expect(await json(call(root, "POST", "/mails/suppressions", { address }), 201)).toEqual(made)
  await suppress(app, { address, list: "News", reason: "unsubscribed", detail: null })
  const listed = await json<Listed>(
    call(root, "GET", `/mails/suppressions?address=${address}`),
    200,
  )
  expect(listed.items.map(({ list, reason }) => [list, reason])).toEqual([
    ["News", "unsubscribed"],
    [null, "administrator"],
  ])
  const [news, all] = listed.items.map(({ id }) => `/mails/suppressions/${id}`) as [string, string]
  await json(call(root, "DELETE", all), 204)
  expect(await findSuppression(app, address, null)).toBeNull()
  // What its owner decided stays.
  expect(await findSuppression(app, address, "News")).toMatchObject({ reason: "unsubscribed" })
  // No address stands in a path, where logs would keep it.
  for (const nothing of [all, "/mails/suppressions/x", `/mails/suppressions/${address}`]) {
    expect(await code(call(root, "DELETE", nothing), 404)).toBe("not_found")
  }
  await json(call(root, "DELETE", news), 204)
  expect(await findSuppression(app, address, "News")).toBeNull()
  for (const wrong of ["x", "a@b\r\nc", "ann@exa mple.com", "ann@example..com"]) {
    expect(await code(call(root, "POST", "/mails/suppressions", { address: wrong }), 400)).toBe(
      "invalid_input",
    )
  }
})

test("who changed the list, or had a mail sent again, is in the log; whose address it was is not", async () => {
  const logged = vi.spyOn(console, "info")
  const address = "unnamed@example.test"
  const { id } = await json<{ id: string }>(
    call(root, "POST", "/mails/suppressions", { address }),
    201,
  )
  await json(call(root, "DELETE", `/mails/suppressions/${id}`), 204)
  const mail = await caused(app, { email: address })
  await json(call(root, "POST", `/mails/${mail}/deliveries`), 202)
  const lines = logged.mock.calls.map(([line]) => String(line))
  logged.mockRestore()
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  for (const fields of [
    { message: "suppression made", suppression: id, actor: root.id },
    { message: "suppression deleted", suppression: id, actor: root.id },
    { message: "mail sent again", mail, actor: root.id },
  ]) {
    expect(told).toContainEqual(expect.objectContaining(fields))
  }
  expect(lines.join()).not.toContain(address)
})

const linkFor = async (address: string, list: string, locale: "en" | "de" = "en") =>
  await unsubscribeLink(app.settings, "", { address, list, locale }, "mail-1")

test("a link asks, and its button unsubscribes from its list alone", async () => {
  const address = "reader@example.test"
  const link = await linkFor(address, "News <&> more", "de")
  const page = await ask(link)
  const html = await page.text()
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8")
  expect(page.headers.get("referrer-policy")).toBe("no-referrer")
  expect(html).toContain('<html lang="de">')
  expect(html).toContain("News &lt;&amp;&gt; more")
  expect(html).toContain('<form method="post">')
  expect(html).not.toContain(address)
  expect(await findSuppression(app, address, "News <&> more")).toBeNull()
  // As a mail program sends it (RFC 8058).
  const oneClick = {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "List-Unsubscribe=One-Click",
  }
  for (const _ of [1, 2]) {
    const done = await ask(link, oneClick)
    expect([done.status, await done.text()]).toEqual([
      200,
      expect.stringContaining("Sie haben abbestellt"),
    ])
  }
  expect(await findSuppression(app, address, "News <&> more")).toMatchObject({
    reason: "unsubscribed",
  })
  expect(await findSuppression(app, address, "Offers")).toBeNull()
  expect(await findSuppression(app, address, null)).toBeNull()
})

test("a link works whatever session its reader has, or had", async () => {
  const link = await linkFor("signed-in@example.test", "News")
  const sessions: Record<string, string>[] = [
    { cookie: "__Host-access=old" },
    { cookie: `__Host-access=${bob.token}`, origin: "https://mail.example" },
    { authorization: "Bearer old" },
  ]
  for (const headers of sessions) {
    for (const method of ["GET", "POST"]) {
      expect((await ask(link, { method, headers })).status).toBe(200)
    }
  }
})

test("a link that was not made here, or was changed, does nothing", async () => {
  const link = await linkFor("forged@example.test", "News")
  const token = link.split("token=")[1] as string
  const bytes = Buffer.from(token, "base64url")
  const suppressions = await count(app, sql`mail_suppressions`)
  const flipped = Array.from({ length: bytes.length }, (_, at) => {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ 1
    return changed.toString("base64url")
  })
  const other = await unsubscribeLink(
    { ...app.settings, secret: "another-secret-another-secret-another" },
    "",
    { address: "forged@example.test", list: "News", locale: "en" },
    "mail-1",
  )
  for (const forged of [
    ...flipped,
    other.split("token=")[1] as string,
    "x",
    "a".repeat(64),
    token.slice(0, -4),
    `${token}AAAA`,
  ]) {
    for (const method of ["GET", "POST"]) {
      const answer = await ask(`/mail/unsubscriptions?token=${forged}`, { method })
      expect(answer.status, forged).toBe(404)
    }
  }
  expect((await ask("/mail/unsubscriptions", { method: "POST" })).status).toBe(400)
  expect(await count(app, sql`mail_suppressions`)).toBe(suppressions)
  expect(await findSuppression(app, "forged@example.test", "News")).toBeNull()
})

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

interface Event {
  type: string
  data: Record<string, unknown>
}

const bounced = (to: string, type = "Permanent"): Event => ({
  type: "email.bounced",
  data: { to: [to], bounce: { type, subType: "General", message: "no such mailbox" } },
})

/** As Resend sends it, signed by a library that nobody here wrote. */
function signed(event: Event | string, at = new Date(), key = secret): RequestInit {
  const body = typeof event === "string" ? event : JSON.stringify(event)
  const signature = new Webhook(key).sign("msg_1", at, body)
  return {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "svix-id": "msg_1",
      "svix-timestamp": String(Math.floor(at.getTime() / 1_000)),
      "svix-signature": signature,
    },
  }
}

const deliver = (init: RequestInit, given: string | null = secret) =>
  ask("/mail/events/resend", init, given === null ? {} : { RESEND_WEBHOOK_SECRET: given })

test("a bounce for good and a complaint end all mail to an address, once however often they are told", async () => {
  const rows = await count(app, sql`mail_suppressions`)
  for (const _ of [1, 2, 3]) {
    expect((await deliver(signed(bounced("Bounced@example.test")))).status).toBe(204)
  }
  const complaint = { type: "email.complained", data: { to: ["cross@example.test"] } }
  expect((await deliver(signed(complaint))).status).toBe(204)
  expect(await findSuppression(app, "bounced@example.test", null)).toMatchObject({
    reason: "bounce",
    detail: "no such mailbox",
  })
  expect(await findSuppression(app, "cross@example.test", null)).toMatchObject({
    reason: "complaint",
  })
  expect(await count(app, sql`mail_suppressions`)).toBe(rows + 2)
})

test.each<[string, Event | string]>([
  ["a bounce that passes", bounced("fine@example.test", "Transient")],
  ["a delivery", { type: "email.delivered", data: { to: ["fine@example.test"] } }],
  [
    "a mail to several, of ours none",
    { type: "email.complained", data: { to: ["fine@example.test", "x@example.test"] } },
  ],
  ["an event without a recipient", { type: "email.complained", data: {} }],
  ["something else", "[]"],
])("%s changes nothing, and is answered", async (_, event) => {
  const rows = await count(app, sql`mail_suppressions`)
  expect((await deliver(signed(event))).status).toBe(204)
  expect(await count(app, sql`mail_suppressions`)).toBe(rows)
})

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000)
const victim = bounced("victim@example.test")
const without = (name: string): RequestInit => {
  const init = signed(victim)
  delete (init.headers as Record<string, string>)[name]
  return init
}
const altered = (changes: Record<string, string>, body?: string): RequestInit => {
  const init = signed(victim)
  return { ...init, ...(body && { body }), headers: { ...(init.headers as object), ...changes } }
}

test.each<[string, () => RequestInit]>([
  ["another key", () => signed(victim, new Date(), "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")],
  ["another body", () => altered({}, JSON.stringify(bounced("other@example.test")))],
  ["another id", () => altered({ "svix-id": "msg_2" })],
  ["another time", () => altered({ "svix-timestamp": String(Math.floor(Date.now() / 1_000) + 1) })],
  ["a time that is none", () => altered({ "svix-timestamp": "now" })],
  ["six minutes past", () => signed(victim, minutesAgo(6))],
  ["six minutes ahead", () => signed(victim, minutesAgo(-6))],
  ["another version", () => altered({ "svix-signature": "v2,AAAA" })],
  ["an empty signature", () => altered({ "svix-signature": "v1," })],
  ["a short one", () => altered({ "svix-signature": "v1,AAAA" })],
  ["no signature", () => without("svix-signature")],
  ["no time", () => without("svix-timestamp")],
  ["no id", () => without("svix-id")],
])("an event with %s is refused", async (_, make) => {
  expect(await code(deliver(make()), 403)).toBe("forbidden")
  expect(await findSuppression(app, "victim@example.test", null)).toBeNull()
  expect(await findSuppression(app, "other@example.test", null)).toBeNull()
})

test("an event is taken within five minutes, and with one good signature of several", async () => {
  expect((await deliver(signed(bounced("late@example.test"), minutesAgo(4.9)))).status).toBe(204)
  const init = signed(bounced("rotated@example.test"))
  const { "svix-signature": good, ...headers } = init.headers as Record<string, string>
  const several = { ...headers, "svix-signature": `v1,AAAA v1a,xyz ${good}` }
  expect((await deliver({ ...init, headers: several })).status).toBe(204)
  for (const name of ["late", "rotated"]) {
    expect(await findSuppression(app, `${name}@example.test`, null)).not.toBeNull()
  }
})

test("without a secret there is no such route", async () => {
  expect(await code(deliver(signed(victim), null), 404)).toBe("not_found")
})

test("the preview shows each template in each language, and the outbox, in development only", async () => {
  const id = await caused(app, { email: "shown@example.test" })
  await attempt(app, id)
  const answer = await ask("/mail/preview")
  const html = await answer.text()
  expect(answer.status).toBe(200)
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'")
  for (const text of ["Hello Ann", "Hallo Ann", "shown@example.test", "Mail preview"]) {
    expect(html).toContain(text)
  }
  const frames: string[] = []
  await new HTMLRewriter()
    .on("iframe", {
      element(element) {
        frames.push(element.getAttribute("sandbox") ?? "none")
      },
    })
    .on("script, link, img", {
      element() {
        throw new Error("needs nothing from elsewhere")
      },
    })
    .transform(new Response(html))
    .text()
  expect(frames.length).toBeGreaterThan(2)
  expect(new Set(frames)).toEqual(new Set(["allow-popups allow-popups-to-escape-sandbox"]))
  const production = await ask("/mail/preview", {}, { ENVIRONMENT: "production" })
  expect(await code(production, 404)).toBe("not_found")
})
