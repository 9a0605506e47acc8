import { type Context, Hono } from "hono"
import type { SignedIn } from "../../platform/http.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { parseJson, parseWith, readText } from "../../platform/validate.ts"
import { createApiKey, listApiKeys, revokeApiKey, rotateApiKey } from "./api-keys.ts"
import { callerOf } from "./caller.ts"
import {
  keysQuery,
  newApiKey,
  newRotation,
  newServiceAccount,
  serviceAccountPatch,
  serviceAccountsQuery,
} from "./key-schema.ts"
import type { OrganisationRoles } from "./organisation-roles.ts"
import type { Calling } from "./organisations.ts"
import {
  changeServiceAccount,
  createServiceAccount,
  deleteServiceAccount,
  listServiceAccounts,
} from "./service-accounts.ts"
import { signedIn } from "./signed-in.ts"

const patchTypes = ["application/json", "application/merge-patch+json"]

/** Keys of programs, and the accounts of those that are nobody's: mounted at `/auth`, which is closed to keys (api-key-use.ts). */
export function keyRoutes(roles: OrganisationRoles) {
  const calling = (c: Context<SignedIn>): Calling => ({
    actor: c.get("actor"),
    caller: callerOf(c.req.raw),
    roles,
  })
  return new Hono<SignedIn>()
    .use("/api-keys/*", signedIn)
    .use("/service-accounts/*", signedIn)

    .post("/api-keys", jsonBody(newApiKey), async (c) => {
      const key = await createApiKey(c.get("app"), calling(c), c.req.valid("json"))
      return c.json(key, 201)
    })

    .get("/api-keys", queryOf(keysQuery), async (c) => {
      const { user, ...query } = c.req.valid("query")
      const asked = { ...pageOfQuery(query), ...(user !== undefined && { user }) }
      const page = await listApiKeys(c.get("app"), calling(c), asked)
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .delete("/api-keys/:id", async (c) => {
      await revokeApiKey(c.get("app"), calling(c), c.req.param("id"))
      return c.body(null, 204)
    })

    .post("/api-keys/:id/rotations", async (c) => {
      const { overlapSeconds } = await rotationBody(c.req.raw)
      const id = c.req.param("id")
      const key = await rotateApiKey(c.get("app"), calling(c), id, overlapSeconds)
      return c.json(key, 201)
    })

    .post("/service-accounts", jsonBody(newServiceAccount), async (c) => {
      const draft = c.req.valid("json")
      const made = await createServiceAccount(c.get("app"), calling(c), draft)
      return c.json(made, 201)
    })

    .get("/service-accounts", queryOf(serviceAccountsQuery), async (c) => {
      const { organisation, ...query } = c.req.valid("query")
      const asked = { ...pageOfQuery(query), organisation }
      const page = await listServiceAccounts(c.get("app"), calling(c), asked)
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .patch("/service-accounts/:id", jsonBody(serviceAccountPatch, patchTypes), async (c) => {
      const patch = c.req.valid("json")
      const id = c.req.param("id")
      return c.json(await changeServiceAccount(c.get("app"), calling(c), id, patch))
    })

    .delete("/service-accounts/:id", async (c) => {
      await deleteServiceAccount(c.get("app"), calling(c), c.req.param("id"))
      return c.body(null, 204)
    })
}

/** An empty body leaves everything to us. */
async function rotationBody(request: Request) {
  if (request.body === null || request.headers.get("content-length") === "0") return {}
  const text = await readText(request)
  return text.trim() === "" ? {} : parseWith(newRotation, parseJson(text))
}
