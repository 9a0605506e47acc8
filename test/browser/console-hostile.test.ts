import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import * as fields from "../../src/core/records/fields.ts"
import { startServer, type TestServer } from "../support/server.ts"
import { executablePath, launchBrowser } from "./browser.ts"
import { visitConsole } from "./console-visit.ts"

let server: TestServer
let browser: Browser

const attacks = [
  `<img src=x onerror="document.title='owned'">`,
  `<script>document.title='owned'</script>`,
  `"><svg onload="document.title='owned'">`,
  `javascript:document.title='owned'`,
].join(" ")
/** Each is told apart from the others by its field. */
const hostile = (where: string) => `${where} ${attacks}`

/** A field of every kind that a collection can have; the compiler knows of none that is missing. */
const made: Record<Exclude<keyof typeof fields, "expression" | "anyType">, object> = {
  text: fields.text(),
  markdown: fields.markdown(),
  integer: fields.integer(),
  number: fields.number(),
  boolean: fields.boolean(),
  date: fields.date(),
  datetime: fields.datetime(),
  email: fields.email(),
  url: fields.url(),
  choice: fields.choice(["a"]),
  json: fields.json(),
  point: fields.point(),
  relation: fields.relation("probes"),
  relations: fields.relations("probes"),
  file: fields.file(),
  files: fields.files(),
  backRelation: fields.backRelation("probes", "relation"),
  rollup: fields.rollup("count", "backRelation"),
}
/** As `/collections` tells them. */
const kinds = Object.keys(made)

/**
 * What the server never lets into such a field, as if it had: the console relies on nobody. Numbers, days and moments
 * are numbers, days and moments, or nothing.
 */
const values: Record<string, unknown> = {
  boolean: true,
  integer: 7,
  number: 7.5,
  rollup: 3,
  date: "2026-01-01",
  datetime: "2026-01-01T00:00:00Z",
  json: { [hostile("key")]: hostile("json") },
  point: { latitude: hostile("point"), longitude: hostile("point") },
  relations: [hostile("relations")],
  file: "held",
  files: ["held"],
  backRelation: undefined,
}
/** Kinds whose values are shown whole; of an id it is the end. */
const whole = ["text", "markdown", "email", "url", "choice"]

const collection = {
  name: "probes",
  description: hostile("description"),
  scope: null,
  fields: kinds.map((kind) => ({
    name: kind,
    kind,
    required: false,
    options: { target: "probes", choices: [hostile("choice")], description: hostile("hint") },
  })),
  rules: { read: "true" },
  search: ["text"],
  unique: [],
  indexes: [],
  readOnly: false,
}

const stored = Object.fromEntries(
  kinds.map((kind) => [kind, kind in values ? values[kind] : hostile(kind)]),
)
const at = "2026-01-01T00:00:00Z"
const record = { id: "probe", version: 2, createdAt: at, updatedAt: at, ...stored }
const page = (items: unknown[]) => ({ items, next: null, count: items.length })
const author = { id: "somebody", name: hostile("author") }

const answers: Readonly<Record<string, unknown>> = {
  "/collections": { items: [collection] },
  "/records/probes": page([{ ...record, expanded: { relation: { text: hostile("related") } } }]),
  "/records/probes/probe": record,
  "/records/probes/probe/history": page([
    {
      ...{ version: 2, kind: "updated", at, actor: author, impersonator: null, authority: "rule" },
      changes: Object.fromEntries(kinds.map((kind) => [kind, { from: null, to: stored[kind] }])),
    },
  ]),
  "/records/probes/bin": page([]),
}

/** The console's answers about records are those above. */
async function visitHostile(path: string) {
  const visitor = await visitConsole(browser, server)
  await visitor.page.route(
    ({ pathname }) => pathname in answers,
    (route) => route.fulfill({ json: answers[new URL(route.request().url()).pathname] }),
  )
  await visitor.page.route("**/files/held", (route) =>
    route.fulfill({
      headers: {
        "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(hostile("file"))}`,
        "content-type": "application/octet-stream",
      },
    }),
  )
  const columns = JSON.stringify(kinds)
  await visitor.page.evaluate(
    (columns) => localStorage.setItem("hinterland console columns probes", columns),
    columns,
  )
  await visitor.page.goto(`${server.url}/console${path}`)
  return visitor
}

/** Nothing has run, and nothing has become an element. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.title()).toBe("Console")
  const elements = `img[src="x"], svg[onload], script:not([src]), [href^="javascript:"]`
  expect(await page.locator(elements).count()).toBe(0)
}

describe.skipIf(!executablePath)("what is hostile in a record of every kind of field", () => {
  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  test("is text in the grid, wherever one scrolls", async () => {
    const visitor = await visitHostile("/data/probes")
    const grid = visitor.page.getByRole("grid")
    await grid.getByRole("row").nth(1).waitFor()
    for (const kind of whole) await grid.getByText(hostile(kind), { exact: true }).waitFor()
    await grid.getByText(hostile("file"), { exact: true }).waitFor()
    await grid.getByRole("link", { name: hostile("related") }).waitFor()
    expect(await grid.locator("code").allTextContents()).toEqual(
      ["json", "point"].map((kind) => JSON.stringify(stored[kind])),
    )
    expect(await grid.getByRole("columnheader").count()).toBe(kinds.length)
    await expectHarmless(visitor.page)
    await visitor.leave()
  })

  test("is text in the form, its hints, and in pickers", async () => {
    const visitor = await visitHostile("/data/probes/probe")
    const form = visitor.page.getByRole("dialog")
    for (const kind of ["text", "markdown", "email", "url"]) {
      const input = form.getByLabel(kind, { exact: true })
      expect(await input.inputValue(), kind).toBe(hostile(kind))
    }
    await form.getByText(hostile("file"), { exact: true }).nth(1).waitFor()
    await form.getByText(hostile("hint")).first().waitFor()
    await form.getByRole("combobox", { name: "relation", exact: true }).click()
    await visitor.page
      .getByRole("option", { name: hostile("text") })
      .first()
      .waitFor()
    await expectHarmless(visitor.page)
    await visitor.leave()
  })

  test("is text in the history, beside who wrote it", async () => {
    const visitor = await visitHostile("/data/probes/probe?tab=history")
    const history = visitor.page.getByRole("tabpanel")
    await history.getByText(hostile("author")).first().waitFor()
    for (const kind of whole) await history.getByText(hostile(kind)).first().waitFor()
    await history.getByText(JSON.stringify(stored.json)).first().waitFor()
    await expectHarmless(visitor.page)
    await visitor.leave()
  })

  test("is text in the schema, in the palette and in figures", async () => {
    const named = { ...collection, name: attacks }
    const visitor = await visitHostile("/schema")
    const { page } = visitor
    await page.getByText(hostile("description")).first().waitFor()
    await page.route("**/collections", (route) => route.fulfill({ json: { items: [named] } }))
    await page.route("**/metrics?*", async (route) => {
      const report = (await (await route.fetch()).json()) as { routes: object[] }
      const routes = report.routes.map((one) => ({ ...one, route: hostile("route") }))
      const organisations = routes.map((one) => ({ ...one, organisation: hostile("tenant") }))
      await route.fulfill({ json: { ...report, routes, organisations } })
    })
    await page.goto(`${server.url}/console/`)
    await page.getByText(hostile("route")).first().waitFor()
    await page.getByText(hostile("tenant")).first().waitFor()
    await page.keyboard.press("Control+k")
    await page.getByRole("textbox", { name: "Find a page or do something" }).fill("document.title")
    await page.getByRole("dialog").getByText(attacks).first().waitFor()
    await expectHarmless(page)
    await visitor.leave()
  })
})
