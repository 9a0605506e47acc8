import { badBody, badSession, jsonBody, type Operation } from "../../platform/operation.ts"
import {
  authenticatorConfirmation,
  authenticatorPage,
  confirmedAuthenticator,
  newAuthenticator,
  recoveryCodeCount,
  recoveryCodes,
  startedAuthenticator,
} from "./factor-schema.ts"

/** Refusals of every change to how a person proves who they are. */
const badStep = [...badSession, "step_up_required", "forbidden"] as const

const recent = "Asks for a proof of identity that is at most 10 minutes old."

export const factorOperations: readonly Operation[] = [
  {
    method: "post",
    path: "/auth/authenticators",
    operationId: "startAuthenticator",
    summary: "Begin with an authenticator app",
    description: `Answers what the app has to know, this once. It counts for nothing before its confirmation; one that was begun earlier and not confirmed is dropped. ${recent}`,
    auth: "session",
    body: jsonBody(newAuthenticator),
    responses: {
      201: {
        description: "The authenticator, with what its app has to know.",
        schema: startedAuthenticator,
        headers: { Location: "Its address." },
      },
    },
    problems: [...badStep, ...badBody, "conflict"],
  },
  {
    method: "post",
    path: "/auth/authenticators/{id}/confirmations",
    operationId: "confirmAuthenticator",
    summary: "Confirm an authenticator app",
    description: `With a code of it. From then on sign-in asks for a code. The first one is answered with ten recovery codes, this once. ${recent}`,
    auth: "session",
    pathParameters: { id: "Id of the authenticator." },
    body: jsonBody(authenticatorConfirmation),
    responses: { 201: { description: "It counts now.", schema: confirmedAuthenticator } },
    problems: [...badStep, ...badBody, "not_found", "code_invalid", "locked", "rate_limited"],
  },
  {
    method: "get",
    path: "/auth/authenticators",
    operationId: "listAuthenticators",
    summary: "One's own authenticator apps, the oldest first",
    auth: "session",
    responses: { 200: { description: "All of them.", schema: authenticatorPage } },
    problems: badSession,
  },
  {
    method: "delete",
    path: "/auth/authenticators/{id}",
    operationId: "deleteAuthenticator",
    summary: "Remove an authenticator app",
    description: `With the last second factor the recovery codes go too. ${recent}`,
    auth: "session",
    pathParameters: { id: "Id of the authenticator." },
    responses: { 204: { description: "It is gone." } },
    problems: [...badStep, "not_found"],
  },
  {
    method: "post",
    path: "/auth/recovery-codes",
    operationId: "replaceRecoveryCodes",
    summary: "Make new recovery codes",
    description: `Ten, shown this once; all former ones are void. ${recent}`,
    auth: "session",
    responses: { 201: { description: "The codes.", schema: recoveryCodes } },
    problems: [...badStep, "conflict"],
  },
  {
    method: "get",
    path: "/auth/recovery-codes",
    operationId: "countRecoveryCodes",
    summary: "How many recovery codes are left",
    auth: "session",
    responses: { 200: { description: "Their number.", schema: recoveryCodeCount } },
    problems: badSession,
  },
]
