import { expect, test } from "vitest"
import type { OpenApi } from "../../../src/core/docs/document.ts"
import { expressionExamples } from "../../../src/core/docs/expression-guide.ts"
import { openApiDocument } from "../../../src/core/docs/openapi.ts"
import { referencePage } from "../../../src/core/docs/page.ts"
import { parseExpression } from "../../../src/core/expression/parse.ts"
import { collection } from "../../../src/core/records/collection.ts"
import { choice, text } from "../../../src/core/records/fields.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import { viewFor } from "../../../src/core/records/view.ts"
import { type App, anonymous } from "../../../src/platform/app.ts"
import { problems } from "../../../src/platform/problem.ts"
import { call } from "../../support/people.ts"

const page = async () => (await call(null, "GET", "/docs")).text()

test("the reference needs nothing but its style, and may load nothing else", async () => {
  const response = await call(null, "GET", "/docs")
  const html = await response.text()
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8")
  expect(response.headers.get("content-security-policy")).toMatch(
    /^default-src 'none'; style-src 'self'/,
  )
  expect(html).not.toMatch(/<script|<style|\sstyle=|\son\w+=|<img|<iframe/i)
  expect([...html.matchAll(/(?:src|href)="(?!#)([^"]*)"/g)].map(([, address]) => address)).toEqual([
    "/docs/style.css",
    "/openapi.json",
  ])
  const style = await call(null, "GET", "/docs/style.css")
  expect(style.headers.get("content-type")).toBe("text/css; charset=utf-8")
  expect(await style.text()).not.toMatch(/url\(|@import/)
})

test("each link within the reference leads somewhere, and each id is there once", async () => {
  const html = await page()
  const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)
  expect(new Set(ids).size).toBe(ids.length)
  const targets = [...html.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id)
  expect(targets.filter((id) => !ids.includes(id))).toEqual([])
})

test("each problem is explained where its type points", async () => {
  const html = await page()
  for (const code of Object.keys(problems)) expect(html).toContain(`id="problem-${code}"`)
})

test("each operation of the document is in the reference", async () => {
  const html = await page()
  const document: OpenApi = await (await call(null, "GET", "/openapi.json")).json()
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item)) {
      expect(html).toContain(`id="${operation.operationId}"`)
    }
  }
})

test("the examples of the expression language are expressions", () => {
  for (const [example] of expressionExamples) expect(() => parseExpression(example)).not.toThrow()
})

test("what definitions hold is text, never markup", () => {
  const hostile = `</code><script>alert('x')</script>"&`
  const collections = linkCollections([
    collection("things", {
      description: hostile,
      fields: {
        name: text({ description: hostile, required: true }),
        kind: choice([hostile, "`<b>`"], { description: "`<i>`" }),
      },
      rules: { read: `name != "<script>"`, create: `kind = '<img src=x onerror=y>'` },
    }),
  ])
  const view = viewFor({ now: () => 0 } as App, anonymous, collections)
  const document = openApiDocument({ collections, view, stranger: view })
  const html = referencePage(document, `http://"><script>`)
  expect(html).not.toMatch(/<script|<img|<b>|<i>/)
  expect(html).toContain("&lt;script&gt;")
})
