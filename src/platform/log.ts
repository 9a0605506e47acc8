/** One line of JSON a fact. Fields are chosen by the caller: never a body, a token, an address or a person's data. */
export type Log = (level: "info" | "warn" | "error", message: string, fields?: LogFields) => void

export interface LogFields {
  [name: string]: string | number | boolean | null | undefined
}

export function createLog(requestId: string): Log {
  return (level, message, fields) => {
    console[level](JSON.stringify({ level, message, requestId, ...fields }))
  }
}

/** An error with its causes and stacks, as text for the log. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  for (
    let at = error;
    at !== undefined && parts.length < 5;
    at = at instanceof Error ? at.cause : undefined
  ) {
    parts.push(at instanceof Error ? (at.stack ?? String(at)) : String(at))
  }
  return parts.join("\ncaused by ")
}
