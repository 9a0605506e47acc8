import { env } from "cloudflare:workers"
import { Hono } from "hono"
import { expect, test } from "vitest"
import { locate, type OpenApi } from "../../../src/core/docs/document.ts"
import { linkJobs } from "../../../src/core/jobs/registry.ts"
import { linkCollections } from "../../../src/core/records/link.ts"
import type { OwnHttp, Reach } from "../../../src/core/records/reach.ts"
import { createRoutes } from "../../../src/routes.ts"
import { fixtures } from "../../support/collections.ts"
import { call, type Person, signedIn } from "../../support/people.ts"

const documentFor = async (person: Person | null): Promise<OpenApi> =>
  (await call(person, "GET", "/openapi.json")).json()

const ann = await signedIn("ann")
const ed = await signedIn("ed", ["editor"])
const admin = await signedIn("admin", ["administrator"])

test("every route is documented, and nothing else", async () => {
  const document = await documentFor(admin)
  const described = locate(document.paths).map(
    ({ method, path }) => `${method.toUpperCase()} ${shapeOf(path)}`,
  )
  const routes = createRoutes(
    linkCollections(fixtures),
    linkJobs<Reach>([], []),
    new Hono<OwnHttp>(),
  )
    .routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${shapeOf(path)}`)
    // Files for browsers are not part of the API.
    .filter((route) => route !== "GET /docs/style.css" && !route.startsWith("GET /console"))
  expect([...new Set(described)].sort()).toEqual([...new Set(routes)].sort())
})

/** Parameters are alike, whatever they are called; all collections are one. */
const shapeOf = (path: string): string =>
  path
    .replace(/^\/records\/[^/]+/, "/records/*")
    .replace(/\{\w+\}|:\w+/g, "*")
    .replace(/(?<=.)\/$/, "")

test("operations have names of their own that read like methods", async () => {
  const ids = locate((await documentFor(admin)).paths).map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.filter((id) => !/^[a-z][a-zA-Z]+$/.test(id))).toEqual([])
  expect(ids).toEqual(
    expect.arrayContaining(["listArticles", "createArticle", "updateDiary", "listOrderEvents"]),
  )
})

test("a field that only some may know of is in no one else's document", async () => {
  const text = async (person: Person | null) => {
    const document = await documentFor(person)
    // Authenticators and webhooks have secrets too: that they do, everybody may know.
    const openly = /^StartedAuthenticator$|webhook|SecretRotation|^\/webhooks/i
    const known = (members: object) =>
      Object.fromEntries(Object.entries(members).filter(([name]) => !openly.test(name)))
    const { components } = document
    const schemas = known(components.schemas)
    return JSON.stringify({
      ...document,
      paths: known(document.paths),
      components: { ...components, schemas },
    })
  }
  expect(await text(null)).not.toMatch(/secret|vault/i)
  expect(await text(ann)).not.toMatch(/secret|vault/i)
  expect(await text(ed)).toContain('"secret"')
  expect(await text(ed)).not.toMatch(/vault/i)
  expect(await text(admin)).toContain("/records/vaults")
  for (const person of [null, ann, ed, admin]) {
    const { schemas } = (await documentFor(person)).components
    expect(Object.keys(schemas.Member?.properties ?? {})).not.toContain("roles")
    expect(Object.keys(schemas.Member?.properties ?? {})).not.toContain("epoch")
  }
})

test("a field that its author alone may read is described to those who could be one, and never promised", async () => {
  const anonymous = (await documentFor(null)).components.schemas.Article
  const { properties = {}, required } = (await documentFor(ann)).components.schemas.Article ?? {}
  expect(Object.keys(anonymous?.properties ?? {})).not.toContain("note")
  expect(properties.note?.description).toContain("author = @me.id")
  expect(required).not.toContain("note")
  const sort = await parameter(ann, "listArticles", "sort")
  expect(JSON.stringify(sort)).not.toContain("note")
})

test("search is offered where it exists, and only for fields that all may read", async () => {
  expect(await parameter(null, "listTags", "search")).toBeUndefined()
  expect((await parameter(null, "listArticles", "search"))?.description).toContain(
    "`title`, `body`;",
  )
})

const parameter = async (person: Person | null, operationId: string, name: string) => {
  const document = await documentFor(person)
  const found = locate(document.paths).find((one) => one.operation.operationId === operationId)
  return found?.operation.parameters.find((one) => "name" in one && one.name === name) as
    | { description: string }
    | undefined
}

test("what the server computes is read only, and takes no part in a create", async () => {
  const { schemas } = (await documentFor(null)).components
  expect(schemas.Article?.properties?.commentCount).toMatchObject({
    type: "integer",
    readOnly: true,
  })
  expect(schemas.NewArticle?.properties).not.toHaveProperty("commentCount")
  expect(schemas.NewArticle?.properties).not.toHaveProperty("id")
  expect(schemas.NewArticle?.required).toEqual(["title"])
  expect(schemas.NewArticle?.properties?.status).toMatchObject({ default: "draft" })
  expect(schemas.ArticlePatch?.required).toBeUndefined()
})

test("a closed action has no operation, and the collection says so", async () => {
  const document = await documentFor(ann)
  expect(Object.keys(document.paths["/records/suggestions"] ?? {})).toEqual(["post"])
  const tag = document.tags.find(({ name }) => name === "suggestions")
  expect(tag?.description).toContain("Closed, because no rule opens it: read, update, delete.")
  expect(document.paths["/records/suggestions"]?.post?.security).toContainEqual({})
  expect(document.paths["/records/articles"]?.post?.security).not.toContainEqual({})
})

test("the document is kept by its ETag, and follows a role that is taken away", async () => {
  const first = await call(ed, "GET", "/openapi.json")
  const etag = first.headers.get("etag") as string
  expect(first.headers.get("cache-control")).toContain("private")
  const again = await call(ed, "GET", "/openapi.json", undefined, { "if-none-match": etag })
  expect([again.status, await again.text()]).toEqual([304, ""])
  expect((await call(ann, "GET", "/openapi.json")).headers.get("etag")).not.toBe(etag)
  await env.DB.prepare("UPDATE members SET epoch = epoch + 1 WHERE id = ?").bind(ed.id).run()
  expect((await call(ed, "GET", "/openapi.json")).status).toBe(401)
})
