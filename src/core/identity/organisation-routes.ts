import { type Context, Hono } from "hono"
import type { Http, SignedIn } from "../../platform/http.ts"
import { isId } from "../../platform/ids.ts"
import { jsonBody, queryOf } from "../../platform/input.ts"
import { nextLink, pageOfQuery } from "../../platform/page.ts"
import { Problem } from "../../platform/problem.ts"
import { clientAddress } from "../../platform/rate-limit.ts"
import type { Caller } from "./caller.ts"
import { accessTokenCookie, cameByCookie } from "./cookies.ts"
import { acceptInvitation, invite, listInvitations, revokeInvitation } from "./invitations.ts"
import {
  listMembers,
  removeMember,
  setMemberRoles,
  transferOwnership,
} from "./organisation-members.ts"
import type { OrganisationRoles } from "./organisation-roles.ts"
import {
  activeOrganisation,
  invitationAcceptance,
  newOrganisation,
  newOrganisationInvitation,
  organisationMemberPatch,
  organisationPatch,
  ownershipTransfer,
} from "./organisation-schema.ts"
import { switchOrganisation } from "./organisation-switch.ts"
import {
  type Calling,
  createOrganisation,
  deleteOrganisation,
  getOrganisation,
  type HasRecords,
  listOrganisations,
  updateOrganisation,
} from "./organisations.ts"
import { pageQuery } from "./schema.ts"
import { signedIn } from "./signed-in.ts"

interface OrganisationRouteOptions {
  readonly roles: OrganisationRoles
  readonly hasRecords: HasRecords
  /** The versions that an If-Match header allows. */
  readonly expectedVersions: (header: string | undefined) => readonly number[] | null
}

const patchTypes = ["application/json", "application/merge-patch+json"]

/** Mounted at the root: `/auth/organisations/…`, `/auth/invitations/…`, and what a session speaks for. */
export function organisationRoutes({
  roles,
  hasRecords,
  expectedVersions,
}: OrganisationRouteOptions) {
  const calling = (c: Context<SignedIn>): Calling => ({
    actor: c.get("actor"),
    caller: callerOf(c),
    roles,
  })
  return new Hono<Http>()

    .post("/auth/organisations", signedIn, jsonBody(newOrganisation), async (c) => {
      const made = await createOrganisation(c.get("app"), calling(c), c.req.valid("json"))
      return c.json(made, 201, {
        location: `/auth/organisations/${made.id}`,
        etag: `"${made.version}"`,
      })
    })

    .get("/auth/organisations", signedIn, queryOf(pageQuery), async (c) => {
      const asked = pageOfQuery(c.req.valid("query"))
      const page = await listOrganisations(c.get("app"), calling(c), asked)
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .get("/auth/organisations/:id", signedIn, async (c) => {
      const found = await getOrganisation(c.get("app"), calling(c), idOf(c.req.param("id")))
      return c.json(found, 200, { etag: `"${found.version}"` })
    })

    .patch(
      "/auth/organisations/:id",
      signedIn,
      jsonBody(organisationPatch, patchTypes),
      async (c) => {
        const changed = await updateOrganisation(
          c.get("app"),
          calling(c),
          idOf(c.req.param("id")),
          c.req.valid("json"),
          expectedVersions(c.req.header("if-match")),
        )
        return c.json(changed, 200, { etag: `"${changed.version}"` })
      },
    )

    .delete("/auth/organisations/:id", signedIn, async (c) => {
      await deleteOrganisation(c.get("app"), calling(c), idOf(c.req.param("id")), hasRecords)
      return c.body(null, 204)
    })

    .get("/auth/organisations/:id/members", signedIn, queryOf(pageQuery), async (c) => {
      const asked = pageOfQuery(c.req.valid("query"))
      const page = await listMembers(c.get("app"), calling(c), idOf(c.req.param("id")), asked)
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .patch(
      "/auth/organisations/:id/members/:user",
      signedIn,
      jsonBody(organisationMemberPatch, patchTypes),
      async (c) => {
        const { id, user } = c.req.param()
        const wanted = c.req.valid("json").roles
        return c.json(await setMemberRoles(c.get("app"), calling(c), idOf(id), idOf(user), wanted))
      },
    )

    .delete("/auth/organisations/:id/members/:user", signedIn, async (c) => {
      const { id, user } = c.req.param()
      await removeMember(c.get("app"), calling(c), idOf(id), idOf(user))
      return c.body(null, 204)
    })

    .post(
      "/auth/organisations/:id/ownership-transfers",
      signedIn,
      jsonBody(ownershipTransfer),
      async (c) => {
        const id = idOf(c.req.param("id"))
        const { user } = c.req.valid("json")
        return c.json(await transferOwnership(c.get("app"), calling(c), id, user), 201)
      },
    )

    .post(
      "/auth/organisations/:id/invitations",
      signedIn,
      jsonBody(newOrganisationInvitation),
      async (c) => {
        const id = idOf(c.req.param("id"))
        const made = await invite(c.get("app"), calling(c), id, c.req.valid("json"))
        return c.json(made, 201, { location: `/auth/organisations/${id}/invitations/${made.id}` })
      },
    )

    .get("/auth/organisations/:id/invitations", signedIn, queryOf(pageQuery), async (c) => {
      const asked = pageOfQuery(c.req.valid("query"))
      const page = await listInvitations(c.get("app"), calling(c), idOf(c.req.param("id")), asked)
      return c.json(page, 200, nextLink(c.req.url, page))
    })

    .delete("/auth/organisations/:id/invitations/:invitation", signedIn, async (c) => {
      const { id, invitation } = c.req.param()
      await revokeInvitation(c.get("app"), calling(c), idOf(id), idOf(invitation))
      return c.body(null, 204)
    })

    .post("/auth/invitations/acceptances", signedIn, jsonBody(invitationAcceptance), async (c) => {
      const { token } = c.req.valid("json")
      return c.json(await acceptInvitation(c.get("app"), calling(c), token), 201)
    })

    .put(
      "/auth/sessions/current/organisation",
      signedIn,
      jsonBody(activeOrganisation),
      async (c) => {
        const { organisation } = c.req.valid("json")
        const caller = callerOf(c)
        const answer = await switchOrganisation(c.get("app"), c.get("actor"), caller, organisation)
        if (cameByCookie(c.req.raw.headers)) {
          c.header("set-cookie", accessTokenCookie(answer.accessToken), { append: true })
        }
        return c.json(answer)
      },
    )
}

const callerOf = (c: Context<SignedIn>): Caller => ({
  address: clientAddress(c.req.raw),
  userAgent: c.req.header("user-agent") ?? null,
})

/** What is no id names nothing, and is not carried to the database. @throws {Problem} `not_found` */
function idOf(text: string | undefined): string {
  if (text === undefined || !isId(text)) throw new Problem("not_found")
  return text
}
