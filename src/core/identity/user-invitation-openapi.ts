import { badAnySession, badBody, jsonBody, type Operation } from "../../platform/operation.ts"
import { passwordResetConfirmation } from "./account-schema.ts"
import { pageQuery } from "./schema.ts"
import { newUserInvitation, userInvitation, userInvitationPage } from "./user-invitation-schema.ts"

const administration = [...badAnySession, "forbidden"] as const

/** How administrators let people in, and how these come. */
export const userInvitationOperations: readonly Operation[] = [
  {
    method: "post",
    path: "/auth/invitations",
    operationId: "inviteUser",
    summary: "Invite somebody to the deployment",
    description:
      "By mail, whether or not the address has an account. The link works once, for seven days, while whoever invited is an administrator. A new invitation takes the place of an open one. Within 10 minutes of signing in.",
    auth: "administrator",
    body: jsonBody(newUserInvitation),
    responses: { 201: { description: "The invitation.", schema: userInvitation } },
    problems: [...administration, ...badBody, "step_up_required"],
  },
  {
    method: "get",
    path: "/auth/invitations",
    operationId: "listUserInvitations",
    summary: "Open invitations to the deployment, the oldest first",
    auth: "administrator",
    query: pageQuery,
    responses: {
      200: { description: "A page.", schema: userInvitationPage, headers: { Link: "`next`" } },
    },
    problems: [...administration, "invalid_input", "invalid_cursor"],
  },
  {
    method: "delete",
    path: "/auth/invitations/{id}",
    operationId: "revokeUserInvitation",
    summary: "Take an invitation to the deployment back",
    auth: "administrator",
    pathParameters: { id: "Id of the invitation." },
    responses: { 204: { description: "Its link is void." } },
    problems: [...administration, "not_found"],
  },
  {
    method: "post",
    path: "/auth/invitations/confirmations",
    operationId: "acceptUserInvitation",
    summary: "Accept an invitation to the deployment",
    description:
      "With the token of the mailed link and a password. The account with the invited address gets the roles, and this password; it is made if there is none. Sessions of an account that was there end.",
    auth: "none",
    body: jsonBody(passwordResetConfirmation),
    responses: { 204: { description: "The account is there; sign in." } },
    problems: [...badBody, "code_invalid", "account_disabled", "conflict"],
  },
]
