import type { Outside } from "../../src/core/webhooks/attempt.ts"

/** A request as a receiver had it. */
export interface Received {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Receivers of webhooks, in the place of the world outside. */
export const receivers: {
  /** All they were sent. */
  received: Received[]
  /** While true, no endpoint's own object sends anything: a test does. */
  still: boolean
  /** How they answer each request. */
  answer: (received: Received) => Response | Promise<Response>
  fetch: Outside["fetch"]
  resolve: Outside["resolve"]
} = {
  received: [],
  still: false,
  answer: () => new Response("thanks"),
  resolve: async () => ["93.184.216.34"],
  async fetch(request) {
    const received: Received = {
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    }
    receivers.received.push(received)
    return receivers.answer(received)
  },
}
