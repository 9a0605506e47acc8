import { DurableObject } from "cloudflare:workers"

/** The Durable Object class that keeps the deployment's counters, minute by minute. */
export class MetricsStore extends DurableObject<Env> {}
