import { redact } from "./redact.ts"

/**
 * One line of JSON a fact. Fields are chosen by the caller: never a body, a token, an address or a person's data. What
 * slips in all the same, such as in the message of another program's error, is taken out where it can be recognised.
 */
export type Log = (level: "info" | "warn" | "error", message: string, fields?: LogFields) => void

export interface LogFields {
  [name: string]: string | number | boolean | null | undefined
}

export function createLog(requestId: string): Log {
  return (level, message, fields) => {
    const line: LogFields = { level, message: redact(message), requestId }
    for (const name in fields) {
      const value = fields[name]
      line[name] = typeof value === "string" ? redact(value) : value
    }
    console[level](JSON.stringify(line))
  }
}

/** An error with its causes and stacks, as text for the log: without secrets. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  for (
    let at = error;
    at !== undefined && parts.length < 5;
    at = at instanceof Error ? at.cause : undefined
  ) {
    parts.push(at instanceof Error ? (at.stack ?? String(at)) : String(at))
  }
  return redact(parts.join("\ncaused by "))
}
