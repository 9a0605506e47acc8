import * as z from "zod"
import {
  badAnySession,
  badBody,
  type DocumentedModule,
  jsonBody,
  type Operation,
} from "../../platform/operation.ts"
import * as shapes from "./schema.ts"

const { inboundEvent, inboundEventPage, inboundEventsQuery, newReplay, received, replay } = shapes

const closed = [...badAnySession, "forbidden"] as const
const one = {
  auth: "administrator",
  pathParameters: { id: "Id of the event." },
} as const

const operations: readonly Operation[] = [
  {
    method: "post",
    path: "/hooks/{source}",
    operationId: "receiveEvent",
    summary: "Tell something from outside",
    description:
      "For the services that this deployment listens to, each signing in its own way. Stored first, and applied soon after; the same event sent again changes nothing. Who cannot prove to be the source is answered as if there were none. A challenge is answered with its text.",
    auth: "none",
    pathParameters: { source: "Name of the source." },
    body: {
      schema: z.unknown(),
      required: false,
      mediaTypes: ["application/json", "application/x-www-form-urlencoded"],
    },
    responses: {
      200: { description: "It was known already.", schema: received, texts: ["text/plain"] },
      202: { description: "It is stored.", schema: received },
    },
    problems: ["not_found", "payload_too_large"],
  },
  {
    method: "get",
    path: "/inbound-events",
    operationId: "listInboundEvents",
    summary: "Events from outside, the newest first",
    description:
      "Without their bodies. An event is kept for 30 days, unless its hook says otherwise.",
    auth: "administrator",
    query: inboundEventsQuery,
    responses: {
      200: { description: "A page.", schema: inboundEventPage, headers: { Link: "`next`" } },
    },
    problems: [...closed, "invalid_input", "invalid_cursor"],
  },
  {
    ...one,
    method: "get",
    path: "/inbound-events/{id}",
    operationId: "getInboundEvent",
    summary: "An event with its body",
    responses: { 200: { description: "The event.", schema: inboundEvent } },
    problems: [...closed, "not_found"],
  },
  {
    ...one,
    method: "post",
    path: "/inbound-events/{id}/replays",
    operationId: "replayInboundEvent",
    summary: "Apply an event again",
    description:
      "Whether it failed, waits, or has been applied. It is the same job with the same key.",
    responses: { 202: { description: "The event, which waits again.", schema: inboundEvent } },
    problems: [...closed, "not_found", "conflict"],
  },
  {
    method: "post",
    path: "/inbound-events/replays",
    operationId: "replayFailedInboundEvents",
    summary: "Apply again what has failed",
    description: "The oldest first, 1,000 at most.",
    auth: "administrator",
    body: jsonBody(newReplay),
    responses: { 202: { description: "What was done.", schema: replay } },
    problems: [...closed, ...badBody],
  },
]

export const inboundDocs: DocumentedModule = {
  tag: "inbound-events",
  description: "What other services tell this deployment.",
  operations,
  shapes,
}
