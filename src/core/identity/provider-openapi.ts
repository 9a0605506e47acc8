import { badBody, badSession, jsonBody, type Operation } from "../../platform/operation.ts"
import {
  authorization,
  callbackForm,
  callbackQuery,
  identity,
  identityPage,
  newAuthorization,
  newLinkingAuthorization,
  providerCredentials,
  providerPage,
} from "./provider-schema.ts"

const recent = "Asks for a proof of identity that is at most 10 minutes old."

const ticketCookies = { "Set-Cookie": "For pages: the ticket, for 10 minutes." }

const named = { name: "Name of the provider." }

/** Refusals of what a provider has sent back. */
const badReturn = [
  "not_found",
  "token_invalid",
  "code_invalid",
  "authorization_denied",
  "provider_failed",
] as const

const back = {
  303: {
    description:
      "On to `returnTo`: signed in, or with `#error=` and the code of a refusal behind it; for `second_factor_required` with `challenge` and `methods`, too.",
    headers: {
      Location: "The page.",
      "Set-Cookie": "The session of a browser: `__Host-access` and `__Host-refresh`.",
    },
  },
}

export const providerOperations: readonly Operation[] = [
  {
    method: "get",
    path: "/auth/providers",
    operationId: "listProviders",
    summary: "Identity providers that one can sign in with",
    auth: "none",
    responses: { 200: { description: "All of them.", schema: providerPage } },
    problems: [],
  },
  {
    method: "post",
    path: "/auth/providers/{name}/authorizations",
    operationId: "beginProviderSignIn",
    summary: "Begin to sign in with a provider",
    description:
      "Lead the person's browser to the `url` that is answered. Pages say `returnTo`, and find the person there again, signed in; the refusals of that stand behind its `#`. Programs say `redirectUri`, keep the `ticket`, and send what comes there with it to `POST /auth/sessions`. A person whom nobody knows yet gets an account, if the provider says that their address is verified and no account has it.",
    auth: "none",
    pathParameters: named,
    body: jsonBody(newAuthorization),
    responses: {
      201: { description: "The way.", schema: authorization, headers: ticketCookies },
    },
    problems: [...badBody, "forbidden", "not_found", "provider_failed"],
  },
  {
    method: "get",
    path: "/auth/providers/{name}/callback",
    operationId: "completeProviderSignIn",
    summary: "Where providers send a person back",
    description: "For the browser that set out, and for no program.",
    auth: "none",
    pathParameters: named,
    query: callbackQuery,
    responses: back,
    problems: ["invalid_input", "not_found", "token_invalid"],
  },
  {
    method: "post",
    path: "/auth/providers/{name}/callback",
    operationId: "completePostedProviderSignIn",
    summary: "Where providers send a person back by a form",
    description: "As `GET`; Apple's way.",
    auth: "none",
    pathParameters: named,
    body: {
      schema: callbackForm,
      required: true,
      mediaTypes: ["application/x-www-form-urlencoded"],
    },
    responses: back,
    problems: [...badBody, "not_found", "token_invalid"],
  },
  {
    method: "post",
    path: "/auth/identities/authorizations",
    operationId: "beginLinking",
    summary: "Begin to link an identity",
    description: `As \`POST /auth/providers/{name}/authorizations\`; in the end the identity can be used to sign in to this account. Programs send what comes to \`redirectUri\` to \`POST /auth/identities\`. ${recent}`,
    auth: "session",
    body: jsonBody(newLinkingAuthorization),
    responses: {
      201: { description: "The way.", schema: authorization, headers: ticketCookies },
    },
    problems: [
      ...badSession,
      ...badBody,
      "step_up_required",
      "forbidden",
      "not_found",
      "provider_failed",
    ],
  },
  {
    method: "post",
    path: "/auth/identities",
    operationId: "linkIdentity",
    summary: "Link an identity",
    description:
      "With what a provider has sent a program, and the ticket of the beginning, in the session that began. Only where the provider says that the address is verified.",
    auth: "session",
    body: jsonBody(providerCredentials),
    responses: {
      201: {
        description: "The identity.",
        schema: identity,
        headers: { Location: "Its address." },
      },
    },
    problems: [
      ...badSession,
      ...badBody,
      ...badReturn,
      "step_up_required",
      "forbidden",
      "email_unverified",
      "conflict",
    ],
  },
  {
    method: "get",
    path: "/auth/identities",
    operationId: "listIdentities",
    summary: "One's own identities with providers, the oldest first",
    auth: "session",
    responses: { 200: { description: "All of them.", schema: identityPage } },
    problems: badSession,
  },
  {
    method: "delete",
    path: "/auth/identities/{id}",
    operationId: "unlinkIdentity",
    summary: "Unlink an identity",
    description: `Not where it is the only way to sign in, beside codes by mail: choose a password or add a passkey first. ${recent}`,
    auth: "session",
    pathParameters: { id: "Id of the identity." },
    responses: { 204: { description: "It is gone." } },
    problems: [...badSession, "step_up_required", "forbidden", "not_found", "conflict"],
  },
]
