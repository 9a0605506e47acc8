import { DurableObject } from "cloudflare:workers"

/** The Durable Object class that starts what is due: one object a database. */
export const jobDispatcher = () =>
  class JobDispatcher extends DurableObject<Env> {
    /** Called after commits. Only sets the alarm. */
    async poke(_database: string): Promise<void> {}
  }
