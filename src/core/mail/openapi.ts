import {
  badAnySession,
  badBody,
  type DocumentedModule,
  jsonBody,
  type Operation,
} from "../../platform/operation.ts"
import { databaseQuery } from "../jobs/schema.ts"
import * as shapes from "./schema.ts"
import {
  mail,
  mailPage,
  mailQuery,
  newSuppression,
  resendEvent,
  suppression,
  suppressionPage,
  suppressionQuery,
  tokenQuery,
} from "./schema.ts"

const administrators = [...badAnySession, "forbidden"] as const

const operations: readonly Operation[] = [
  {
    method: "get",
    path: "/mails",
    operationId: "listMails",
    summary: "Mails, the newest first",
    description:
      "Of the last 120 days, without their bodies. After 30 days the address, the subject and the reason are gone as well.",
    auth: "administrator",
    query: mailQuery,
    responses: { 200: { description: "A page.", schema: mailPage, headers: { Link: "`next`" } } },
    problems: [...administrators, "invalid_input", "invalid_cursor"],
  },
  {
    method: "get",
    path: "/mails/{id}",
    operationId: "getMail",
    summary: "A mail with its bodies",
    description:
      "Bodies are kept by the outbox, and until it is sent by any other driver. They may hold links that let one in: treat them like passwords.",
    auth: "administrator",
    pathParameters: { id: "Id of the mail." },
    query: databaseQuery,
    responses: { 200: { description: "The mail.", schema: mail } },
    problems: [...administrators, "not_found", "invalid_input"],
  },
  {
    method: "post",
    path: "/mails/{id}/deliveries",
    operationId: "sendMailAgain",
    summary: "Deliver a mail that was not delivered",
    description:
      "For a mail of the last 30 days that failed, was suppressed, or is uncertain. One that is uncertain may arrive twice, unless the provider knows it again.",
    auth: "administrator",
    pathParameters: { id: "Id of the mail." },
    query: databaseQuery,
    responses: { 202: { description: "The mail, which waits again.", schema: mail } },
    problems: [...administrators, "not_found", "conflict", "invalid_input"],
  },
  {
    method: "get",
    path: "/mails/suppressions",
    operationId: "listSuppressions",
    summary: "Addresses that get no mail, the newest first",
    auth: "administrator",
    query: suppressionQuery,
    responses: {
      200: { description: "A page.", schema: suppressionPage, headers: { Link: "`next`" } },
    },
    problems: [...administrators, "invalid_input", "invalid_cursor"],
  },
  {
    method: "post",
    path: "/mails/suppressions",
    operationId: "createSuppression",
    summary: "Send an address no more mail",
    description: "One that is on the list already stays there as it is.",
    auth: "administrator",
    body: jsonBody(newSuppression),
    responses: { 201: { description: "It is on the list.", schema: suppression } },
    problems: [...administrators, ...badBody],
  },
  {
    method: "delete",
    path: "/mails/suppressions/{id}",
    operationId: "deleteSuppression",
    summary: "Send an address mail again",
    description: "What this entry is about: mail of any kind, or of its list.",
    auth: "administrator",
    pathParameters: { id: "Id of the suppression." },
    responses: { 204: { description: "It is no longer on the list." } },
    problems: [...administrators, "not_found"],
  },
  {
    method: "get",
    path: "/mail/unsubscriptions",
    operationId: "getUnsubscription",
    summary: "The page of the link in a mail",
    auth: "none",
    query: tokenQuery,
    responses: { 200: { description: "A page with a button.", texts: ["text/html"] } },
    problems: ["not_found", "invalid_input"],
  },
  {
    method: "post",
    path: "/mail/unsubscriptions",
    operationId: "unsubscribe",
    summary: "Unsubscribe from a list",
    description:
      "Needs no session: the token stands for one address and one list. Mail programs send it by themselves (RFC 8058).",
    auth: "none",
    query: tokenQuery,
    responses: { 200: { description: "A page that says so.", texts: ["text/html"] } },
    problems: ["not_found", "invalid_input"],
  },
  {
    method: "post",
    path: "/mail/events/resend",
    operationId: "receiveResendEvent",
    summary: "Bounces and complaints, from Resend",
    description:
      "Signed (`svix-id`, `svix-timestamp`, `svix-signature`). There is no such route where the deployment has no key for it.",
    auth: "none",
    body: jsonBody(resendEvent),
    responses: { 204: { description: "It has been heeded." } },
    problems: [...badBody, "forbidden", "not_found"],
  },
  {
    method: "get",
    path: "/mail/preview",
    operationId: "previewMail",
    summary: "Templates with their samples, and the outbox",
    description: "In development only.",
    auth: "none",
    responses: { 200: { description: "A page.", texts: ["text/html"] } },
    problems: ["not_found"],
  },
]

export const mailDocs: DocumentedModule = {
  tag: "mail",
  description: "What is sent, to whom nothing is sent, and why.",
  operations,
  shapes,
}
