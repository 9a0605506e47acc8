import {
  badAnySession,
  badBody,
  type DocumentedModule,
  jsonBody,
  type Operation,
  patchBody,
} from "../../platform/operation.ts"
import { accountOperations } from "./account-openapi.ts"
import * as accountShapes from "./account-schema.ts"
import { signInRequest } from "./account-schema.ts"
import { factorOperations } from "./factor-openapi.ts"
import * as factorShapes from "./factor-schema.ts"
import { providerOperations } from "./provider-openapi.ts"
import * as providerShapes from "./provider-schema.ts"
import * as shapes from "./schema.ts"
import {
  keySet,
  mePatch,
  newAdministrator,
  newCredentials,
  newUser,
  pageQuery,
  refreshRequest,
  sessionPage,
  signedIn,
  tokens,
  user,
} from "./schema.ts"
import { userInvitationOperations } from "./user-invitation-openapi.ts"
import * as userInvitationShapes from "./user-invitation-schema.ts"

const cookies = { "Set-Cookie": "The session of a browser: `__Host-access` and `__Host-refresh`." }

const operations: readonly Operation[] = [
  {
    method: "post",
    path: "/auth/users",
    operationId: "signUp",
    summary: "Sign up",
    auth: "none",
    captcha: true,
    body: jsonBody(newUser),
    responses: {
      201: { description: "The person.", schema: user, headers: { Location: "`/auth/me`" } },
    },
    problems: [...badBody, "conflict", "rate_limited"],
  },
  {
    method: "post",
    path: "/auth/administrators",
    operationId: "createFirstAdministrator",
    summary: "Make the first administrator",
    description: "Works once, with the code that the deployment printed.",
    auth: "none",
    body: jsonBody(newAdministrator),
    responses: {
      201: { description: "The administrator.", schema: user, headers: { Location: "`/auth/me`" } },
    },
    problems: [...badBody, "not_found", "forbidden", "conflict"],
  },
  {
    method: "post",
    path: "/auth/sessions",
    operationId: "signIn",
    summary: "Sign in",
    description:
      'With `email` and `password`, with `email` and the `code` that was mailed, with the `token` of the mailed link, or with what a provider sent (`POST /auth/providers/{name}/authorizations`). Whoever has a second factor is answered `second_factor_required` with a `challenge` and the `methods` that can answer it: send the challenge with a `code`, a `recoveryCode` or a `passkey`. A passkey alone signs in with a challenge of `POST /auth/passkeys/challenges`. Ten failures of an account (`locked`), or a hundred of a network address (`rate_limited`), within 15 minutes are answered with `Retry-After`, whether the account exists or not. Where the deployment allows it, `{"kind": "anonymous"}` begins a session of somebody who has no account yet; a network address gets 20 within 15 minutes.',
    auth: "none",
    captcha: true,
    body: jsonBody(signInRequest),
    responses: { 201: { description: "A session.", schema: signedIn, headers: cookies } },
    problems: [
      ...badBody,
      "invalid_credentials",
      "second_factor_required",
      "code_invalid",
      "token_invalid",
      "token_outdated",
      "account_disabled",
      "forbidden",
      "email_unverified",
      "authorization_denied",
      "identity_not_linked",
      "provider_failed",
      "locked",
      "rate_limited",
    ],
  },
  {
    method: "post",
    path: "/auth/tokens",
    operationId: "refresh",
    summary: "Exchange a refresh token for new tokens",
    description:
      "Each refresh token can be used once; within 30 s the last one may be sent again and is answered with the same successor. Any other reuse ends the session. Without a body the cookie is used, for pages of allowed origins.",
    auth: "none",
    body: jsonBody(refreshRequest, false),
    responses: { 200: { description: "New tokens.", schema: tokens, headers: cookies } },
    problems: [...badBody, "unauthenticated", "token_invalid", "forbidden"],
  },
  {
    method: "get",
    path: "/auth/sessions",
    operationId: "listSessions",
    summary: "One's own sessions, the newest first",
    auth: "session",
    query: pageQuery,
    responses: {
      200: { description: "A page.", schema: sessionPage, headers: { Link: "`next`" } },
    },
    problems: [...badAnySession, "invalid_input", "invalid_cursor"],
  },
  {
    method: "delete",
    path: "/auth/sessions/{id}",
    operationId: "endSession",
    summary: "Sign out, here or on another device",
    description: "Refresh tokens and access tokens of that session are refused from then on.",
    auth: "session",
    pathParameters: { id: "Id of one of one's own sessions, or `current`." },
    responses: { 204: { description: "It has ended.", headers: cookies } },
    problems: [...badAnySession, "forbidden", "not_found"],
  },
  {
    method: "get",
    path: "/auth/me",
    operationId: "getMe",
    summary: "Oneself",
    auth: "session",
    responses: { 200: { description: "The person.", schema: user } },
    problems: badAnySession,
  },
  {
    method: "patch",
    path: "/auth/me",
    operationId: "updateMe",
    summary: "Change one's name",
    auth: "session",
    body: patchBody(mePatch),
    responses: { 200: { description: "The person.", schema: user } },
    problems: [...badAnySession, ...badBody, "forbidden"],
  },
  {
    method: "post",
    path: "/auth/me/credentials",
    operationId: "takeCredentials",
    summary: "Make an account of an anonymous session",
    description:
      "The id stays, and with it whose the records are. The address is mailed a link that confirms it. Access tokens are outdated: refresh. Where the deployment lets nobody in before the address is confirmed, the session ends.",
    auth: "session",
    body: jsonBody(newCredentials),
    responses: {
      201: { description: "The person.", schema: user, headers: { Location: "`/auth/me`" } },
    },
    problems: [...badAnySession, ...badBody, "forbidden", "conflict", "not_found"],
  },
  ...accountOperations,
  ...userInvitationOperations,
  {
    method: "get",
    path: "/.well-known/jwks.json",
    operationId: "getKeySet",
    summary: "Public keys that verify access tokens",
    auth: "none",
    responses: {
      200: {
        description: "The keys.",
        schema: keySet,
        headers: { "Cache-Control": "`public, max-age=300`" },
      },
    },
    problems: [],
  },
  ...factorOperations,
  ...providerOperations,
]

export const identityDocs: DocumentedModule = {
  tag: "auth",
  description: "People and their sessions.",
  operations,
  shapes: {
    ...shapes,
    ...factorShapes,
    ...accountShapes,
    ...userInvitationShapes,
    ...providerShapes,
  },
}
