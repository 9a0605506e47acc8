import {
  badAnySession,
  badBody,
  badSession,
  type DocumentedModule,
  jsonBody,
  type Operation,
  patchBody,
} from "../../platform/operation.ts"
import * as shapes from "./schema.ts"

const closed = [...badSession, "forbidden"] as const
const one = { auth: "session", pathParameters: { id: "Id of the endpoint." } } as const
const path = "/webhooks/endpoints/{id}"
const delivery = {
  auth: "session",
  pathParameters: { id: "Id of the endpoint.", delivery: "Id of the delivery." },
} as const

const operations: readonly Operation[] = [
  {
    method: "get",
    path: "/webhooks/events",
    operationId: "listWebhookEvents",
    summary: "What one can hear of, with JSON Schema and an example each",
    description: "As far as the caller may know of it. Made from the collections.",
    auth: "either",
    responses: { 200: { description: "All types.", schema: shapes.webhookEventTypes } },
    problems: badAnySession,
  },
  {
    method: "post",
    path: "/webhooks/endpoints",
    operationId: "createWebhookEndpoint",
    summary: "Have events sent somewhere",
    description:
      "By the rights of whoever makes it, as they are whenever something is sent: no event carries what they may not read at that time. Standard Webhooks 1.0. API keys need a scope that names `webhooks`.",
    auth: "session",
    body: jsonBody(shapes.newWebhookEndpoint),
    responses: {
      201: {
        description: "The endpoint, and its secret, which is shown this once.",
        schema: shapes.issuedWebhookEndpoint,
        headers: { Location: "The endpoint." },
      },
    },
    problems: [...closed, ...badBody, "invalid_expression", "conflict"],
  },
  {
    method: "get",
    path: "/webhooks/endpoints",
    operationId: "listWebhookEndpoints",
    summary: "One's own endpoints, the newest first",
    description:
      "Within the organisation that one acts in, whose owners and admins see those of all its members; administrators of the deployment see all.",
    auth: "session",
    query: shapes.pageQuery,
    responses: {
      200: {
        description: "A page.",
        schema: shapes.webhookEndpointPage,
        headers: { Link: "`next`" },
      },
    },
    problems: [...closed, "invalid_input", "invalid_cursor"],
  },
  {
    ...one,
    method: "get",
    path,
    operationId: "getWebhookEndpoint",
    summary: "An endpoint",
    responses: { 200: { description: "The endpoint.", schema: shapes.webhookEndpoint } },
    problems: [...closed, "not_found"],
  },
  {
    ...one,
    method: "patch",
    path,
    operationId: "updateWebhookEndpoint",
    summary: "Change an endpoint, or switch it off and on",
    body: patchBody(shapes.webhookEndpointPatch),
    responses: { 200: { description: "The endpoint.", schema: shapes.webhookEndpoint } },
    problems: [...closed, ...badBody, "invalid_expression", "not_found", "conflict"],
  },
  {
    ...one,
    method: "delete",
    path,
    operationId: "deleteWebhookEndpoint",
    summary: "Send nothing there any more",
    description: "What waits, and what is known of what was sent, goes with it.",
    responses: { 204: { description: "It is gone." } },
    problems: [...closed, "not_found"],
  },
  {
    ...one,
    method: "post",
    path: `${path}/secrets`,
    operationId: "rotateWebhookSecret",
    summary: "A new secret",
    description: "The old one signs beside it for a while: then each event has two signatures.",
    body: jsonBody(shapes.newSecretRotation),
    responses: {
      201: { description: "Shown this once.", schema: shapes.issuedWebhookEndpoint },
    },
    problems: [...closed, ...badBody, "not_found"],
  },
  {
    ...one,
    method: "post",
    path: `${path}/tests`,
    operationId: "testWebhookEndpoint",
    summary: "Send a test",
    responses: { 201: { description: "The delivery.", schema: shapes.webhookDelivery } },
    problems: [...closed, "not_found", "conflict"],
  },
  {
    ...one,
    method: "post",
    path: `${path}/replays`,
    operationId: "replayWebhookEvents",
    summary: "Send again what was sent, or was not heard of",
    description:
      "Of a stretch of the log, some 20,000 lines are looked at; what the answer has in `next` goes on behind them.",
    body: jsonBody(shapes.webhookReplay),
    responses: { 201: { description: "It is queued.", schema: shapes.webhookReplayAnswer } },
    problems: [...closed, ...badBody, "invalid_cursor", "not_found", "conflict"],
  },
  {
    ...one,
    method: "get",
    path: `${path}/deliveries`,
    operationId: "listWebhookDeliveries",
    summary: "What was sent, the newest first",
    description: "Kept for 30 days after it has ended.",
    query: shapes.deliveriesQuery,
    responses: {
      200: {
        description: "A page.",
        schema: shapes.webhookDeliveryPage,
        headers: { Link: "`next`" },
      },
    },
    problems: [...closed, "invalid_input", "invalid_cursor", "not_found"],
  },
  {
    ...delivery,
    method: "get",
    path: `${path}/deliveries/{delivery}`,
    operationId: "getWebhookDelivery",
    summary: "What was sent, and what was answered",
    responses: { 200: { description: "The delivery.", schema: shapes.webhookDeliveryDetails } },
    problems: [...closed, "not_found"],
  },
  {
    ...delivery,
    method: "post",
    path: `${path}/deliveries/{delivery}/replays`,
    operationId: "replayWebhookDelivery",
    summary: "Send it again",
    responses: { 201: { description: "The delivery.", schema: shapes.webhookDelivery } },
    problems: [...closed, "not_found", "conflict"],
  },
]

export const webhookDocs: DocumentedModule = {
  tag: "webhooks",
  description:
    "Events that are sent to others, signed as Standard Webhooks 1.0 says, and what became of them.",
  operations,
  shapes,
}
