import { env } from "cloudflare:workers"
import { Webhook } from "standardwebhooks"
import { expect } from "vitest"
import { announcement } from "../../../src/core/webhooks/announce.ts"
import { eventually } from "../../support/eventually.ts"
import { call, type Person } from "../../support/people.ts"
import { type Received, receivers } from "../../support/receivers.ts"
import { type Json, read } from "../records/cast.ts"
import { toolApp } from "../records/workshop.ts"

export interface Endpoint extends Json {
  id: string
  secret: string
}
export interface Event {
  type: string
  timestamp: string
  data: { id: string; record: Json | null; changed: string[] | null } & Json
}

export const partner = "https://hooks.partner.com/in"

export const endpoint = (as: Person, draft: Json) =>
  read<Endpoint>(call(as, "POST", "/webhooks/endpoints", { url: partner, ...draft }), 201)

export const deliveries = (as: Person, id: string, query = "") =>
  read<{ items: (Json & { id: string; state: string })[] }>(
    call(as, "GET", `/webhooks/endpoints/${id}/deliveries${query}`),
    200,
  )

export const delivery = (as: Person, id: string, which: string) =>
  read<Json & { log: Json[]; body: string }>(
    call(as, "GET", `/webhooks/endpoints/${id}/deliveries/${which}`),
    200,
  )

/** Forgets what was received, and lets receivers be content again. */
export function content(): void {
  receivers.received = []
  receivers.answer = () => new Response("thanks")
  receivers.resolve = async () => ["93.184.216.34"]
}

export const eventOf = ({ body }: Received): Event => JSON.parse(body) as Event

/** Verified by the reference library. */
export const verified = (secret: string, { body, headers }: Received): Event =>
  new Webhook(secret).verify(body, headers as Record<string, string>) as Event

/** Waits until so many requests have come. */
export async function received(count: number): Promise<Received[]> {
  await eventually(() => expect(receivers.received.length).toBeGreaterThanOrEqual(count))
  return receivers.received
}

/** Until the pump has passed all lines, and they are queued, which the dispatcher does not do while it stands still. */
export async function settledPump(): Promise<void> {
  await eventually(async () => {
    const status = await env.CHANGE_PUMP.get(env.CHANGE_PUMP.idFromName("main")).status()
    const [last] = (await env.DB.prepare("SELECT max(seq) AS seq FROM changes").all()).results
    expect(status.cursor).toBe(last?.seq)
  })
  await toolApp().db.batch(announcement(toolApp()))
}

/** The same, and nothing waits that is due. */
export async function settled(): Promise<void> {
  await settledPump()
  await eventually(async () => {
    const [left] = (
      await env.DB.prepare(
        "SELECT count(*) AS n FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint WHERE e.enabled = 1 AND d.state = 'queued'",
      ).all()
    ).results
    expect(left?.n).toBe(0)
  })
}
