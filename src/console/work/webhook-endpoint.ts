import { queryOptions } from "@tanstack/react-query"
import { read } from "../backend.ts"

/** As `GET /webhooks/endpoints` answers them. */
export interface Endpoint {
  readonly id: string
  readonly url: string
  readonly description: string | null
  readonly events: readonly string[]
  readonly filter: string | null
  readonly fields: readonly string[] | null
  readonly headers: readonly string[]
  readonly ratePerSecond: number
  readonly scheme: "v1" | "v1a"
  readonly publicKey: string | null
  readonly enabled: boolean
  readonly disabledReason: "owner" | "gone" | "failing" | "filter" | "request" | null
  readonly failures: number
  readonly failingSince: string | null
  readonly pausedUntil: string | null
  readonly overlapUntil: string | null
  readonly createdAt: string
}

/** With its secret, as it is told once. */
export interface Issued extends Endpoint {
  readonly secret: string | null
}

export const endpointsPath = "/webhooks/endpoints"
export const changed = [[endpointsPath]]

/** What one can hear of, as this deployment lists it. */
export const eventTypesQuery = queryOptions({
  queryKey: ["/webhooks/events"],
  queryFn: () => read<{ items: readonly { type: string }[] }>("/webhooks/events"),
})
