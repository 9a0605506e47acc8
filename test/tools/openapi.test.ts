import { Validator } from "@seriousme/openapi-schema-validator"
import { expect, test } from "vitest"
import { collections as filmClub } from "../../src/app/collections.ts"
import { openApiDocument } from "../../src/core/docs/openapi.ts"
import type { Collection } from "../../src/core/records/collection.ts"
import { linkCollections } from "../../src/core/records/link.ts"
import { viewFor } from "../../src/core/records/view.ts"
import { type Actor, type App, anonymous } from "../../src/platform/app.ts"
import { fixtures } from "../support/collections.ts"

/* In Node, because the validator compiles schemas to code, which workerd does not allow. */

const person = (...roles: string[]): Actor => ({
  kind: "user",
  id: "019aa2c5-7d00-7000-8000-000000000001",
  email: "ann@example.test",
  roles,
  organisation: null,
  database: "main",
  epoch: 1,
  session: "",
  methods: [],
  authenticatedAt: 0,
  impersonator: null,
})

const deployments: readonly (readonly [string, readonly Collection[]])[] = [
  ["the fixtures", fixtures],
  ["the film club", filmClub],
  ["no collections at all", []],
]
const readers: readonly (readonly [string, Actor])[] = [
  ["anonymous", anonymous],
  ["a person", person()],
  ["an editor", person("editor")],
  ["an administrator", person("administrator")],
]

for (const [what, definitions] of deployments) {
  for (const [who, actor] of readers) {
    test(`the document of ${what} for ${who} is valid OpenAPI 3.1`, async () => {
      const collections = linkCollections(definitions)
      const view = (reader: Actor) => viewFor({ now: () => 0 } as App, reader, collections)
      const document = openApiDocument({
        collections,
        view: view(actor),
        stranger: view(anonymous),
      })
      const sent = JSON.parse(JSON.stringify(document)) as Record<string, unknown>
      const validator = new Validator()
      const { valid, errors } = await validator.validate(sent)
      expect(errors).toBeUndefined()
      expect(valid).toBe(true)
      expect(validator.version).toBe("3.1")
      // Each `$ref` leads somewhere.
      for (const [, ref] of JSON.stringify(sent).matchAll(/"\$ref":"([^"]*)"/g)) {
        expect(reach(sent, ref as string), ref).toBeDefined()
      }
    })
  }
}

const reach = (document: object, ref: string): unknown =>
  ref
    .split("/")
    .slice(1)
    .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], document)
