import {
  badBody,
  badSession,
  type DocumentedModule,
  jsonBody,
  type Operation,
  patchBody,
} from "../../platform/operation.ts"
import * as shapes from "./organisation-schema.ts"
import { pageQuery } from "./schema.ts"

const id = "Id of an organisation that one belongs to."

/** What may be said of an organisation that is named: outsiders do not find it, members may lack a role or a factor. */
const standing = [...badSession, "not_found", "forbidden", "second_factor_required"] as const
const paging = ["invalid_input", "invalid_cursor"] as const
const etag = { ETag: "Its version." }
const outdates = "The tokens of whom it concerns are outdated at once: refresh them."

const operations: readonly Operation[] = [
  {
    method: "post",
    path: "/auth/organisations",
    operationId: "createOrganisation",
    summary: "Make an organisation",
    description: `Who makes it owns it. ${outdates} A person belongs to 50 at most.`,
    auth: "session",
    body: jsonBody(shapes.newOrganisation),
    responses: {
      201: {
        description: "The organisation.",
        schema: shapes.organisation,
        headers: { ...etag, Location: "Its address." },
      },
    },
    problems: [...badSession, ...badBody, "forbidden", "rate_limited"],
  },
  {
    method: "get",
    path: "/auth/organisations",
    operationId: "listOrganisations",
    summary: "The organisations that one belongs to, the oldest first",
    auth: "session",
    query: pageQuery,
    responses: {
      200: { description: "A page.", schema: shapes.organisationPage, headers: { Link: "`next`" } },
    },
    problems: [...badSession, ...paging],
  },
  {
    method: "get",
    path: "/auth/organisations/{id}",
    operationId: "getOrganisation",
    summary: "An organisation",
    auth: "session",
    pathParameters: { id },
    responses: { 200: { description: "It.", schema: shapes.organisation, headers: etag } },
    problems: standing,
  },
  {
    method: "patch",
    path: "/auth/organisations/{id}",
    operationId: "updateOrganisation",
    summary: "Change name and policy",
    description:
      "For owners. `If-Match` compares the version. A policy holds from the next token on, within 15 minutes for sessions that live.",
    auth: "session",
    pathParameters: { id },
    body: patchBody(shapes.organisationPatch),
    responses: { 200: { description: "It.", schema: shapes.organisation, headers: etag } },
    problems: [...standing, ...badBody, "precondition_failed"],
  },
  {
    method: "delete",
    path: "/auth/organisations/{id}",
    operationId: "deleteOrganisation",
    summary: "Delete an empty organisation",
    description:
      "For owners who signed in within ten minutes. It must have no other members and no records: nothing is swept away with it.",
    auth: "session",
    pathParameters: { id },
    responses: { 204: { description: "It is gone." } },
    problems: [...standing, "step_up_required", "conflict"],
  },
  {
    method: "get",
    path: "/auth/organisations/{id}/members",
    operationId: "listMembers",
    summary: "The members of an organisation",
    auth: "session",
    pathParameters: { id },
    query: pageQuery,
    responses: {
      200: {
        description: "A page.",
        schema: shapes.organisationMemberPage,
        headers: { Link: "`next`" },
      },
    },
    problems: [...standing, ...paging],
  },
  {
    method: "patch",
    path: "/auth/organisations/{id}/members/{user}",
    operationId: "setMemberRoles",
    summary: "Give and take roles in an organisation",
    description: `Nobody gives or takes a role above their own, and the last owner stays one. ${outdates}`,
    auth: "session",
    pathParameters: { id, user: "Id of the member." },
    body: patchBody(shapes.organisationMemberPatch),
    responses: { 200: { description: "The member.", schema: shapes.organisationMember } },
    problems: [...standing, ...badBody, "conflict"],
  },
  {
    method: "delete",
    path: "/auth/organisations/{id}/members/{user}",
    operationId: "removeMember",
    summary: "Remove a member, or leave",
    description: `Leaving needs no role. The last owner cannot. ${outdates}`,
    auth: "session",
    pathParameters: { id, user: "Id of the member." },
    responses: { 204: { description: "No member any more." } },
    problems: [...standing, "conflict"],
  },
  {
    method: "post",
    path: "/auth/organisations/{id}/ownership-transfers",
    operationId: "transferOwnership",
    summary: "Hand an organisation over",
    description: `For owners who signed in within ten minutes, to another member. They become an admin. ${outdates}`,
    auth: "session",
    pathParameters: { id },
    body: jsonBody(shapes.ownershipTransfer),
    responses: { 201: { description: "The new owner.", schema: shapes.organisationMember } },
    problems: [...standing, ...badBody, "step_up_required", "conflict"],
  },
  {
    method: "post",
    path: "/auth/organisations/{id}/invitations",
    operationId: "inviteMember",
    summary: "Invite somebody",
    description:
      "By mail, whether or not the address has an account. The link works once, for seven days, and leads to a page of the console, which has it accepted. A new invitation takes the place of an open one. An organisation sends 100 a day at most.",
    auth: "session",
    pathParameters: { id },
    body: jsonBody(shapes.newOrganisationInvitation),
    responses: {
      201: {
        description: "The invitation.",
        schema: shapes.organisationInvitation,
        headers: { Location: "Its address." },
      },
    },
    problems: [...standing, ...badBody, "rate_limited"],
  },
  {
    method: "get",
    path: "/auth/organisations/{id}/invitations",
    operationId: "listInvitations",
    summary: "Open invitations, the oldest first",
    auth: "session",
    pathParameters: { id },
    query: pageQuery,
    responses: {
      200: {
        description: "A page.",
        schema: shapes.organisationInvitationPage,
        headers: { Link: "`next`" },
      },
    },
    problems: [...standing, ...paging],
  },
  {
    method: "delete",
    path: "/auth/organisations/{id}/invitations/{invitation}",
    operationId: "revokeInvitation",
    summary: "Take an invitation back",
    auth: "session",
    pathParameters: { id, invitation: "Id of the invitation." },
    responses: { 204: { description: "Its link is void." } },
    problems: [...standing, "conflict"],
  },
  {
    method: "post",
    path: "/auth/invitations/acceptances",
    operationId: "acceptInvitation",
    summary: "Accept an invitation",
    description: `Signed in with the account that has the invited address, which counts as verified by it. ${outdates}`,
    auth: "session",
    body: jsonBody(shapes.invitationAcceptance),
    responses: { 201: { description: "The organisation.", schema: shapes.organisation } },
    problems: [...badSession, ...badBody, "code_invalid", "forbidden", "conflict", "rate_limited"],
  },
  {
    method: "put",
    path: "/auth/sessions/current/organisation",
    operationId: "switchOrganisation",
    summary: "Act in another organisation",
    description:
      "The session keeps it: its refresh token stays as it is, and leads to tokens of the new organisation. Access tokens that it has go on speaking for theirs until they expire.",
    auth: "session",
    body: jsonBody(shapes.activeOrganisation),
    responses: {
      200: {
        description: "An access token for it.",
        schema: shapes.accessToken,
        headers: { "Set-Cookie": "`__Host-access`" },
      },
    },
    problems: [
      ...badSession,
      ...badBody,
      "forbidden",
      "not_found",
      "second_factor_required",
      "step_up_required",
    ],
  },
]

export const organisationDocs: DocumentedModule = {
  tag: "organisations",
  description: "Organisations, their members and invitations.",
  // Beside `forbidden` for a role that is lacking, a cookie that another site's page sends along is refused with it.
  operations: operations.map((operation) =>
    operation.method === "get"
      ? operation
      : { ...operation, problems: [...new Set([...operation.problems, "forbidden" as const])] },
  ),
  shapes,
}
