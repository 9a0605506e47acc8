import { createExecutionContext } from "cloudflare:test"
import worker from "./worker.ts"

/** The whole worker as a deployment with these variables would be: for settings that other tests do without. */
export const fetchFrom = async (env: object, request: Request): Promise<Response> =>
  worker.fetch(
    request as unknown as Parameters<typeof worker.fetch>[0],
    env as Env,
    createExecutionContext(),
  )
