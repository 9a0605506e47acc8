import { relative } from "node:path"
import type { Prepared } from "./dev-prepare.ts"

/** What a person sees once everything answers: where, as whom, and three calls that work. */
export function greeting(prepared: Prepared, port: number, stateDirectory: string): string {
  const origin = `http://127.0.0.1:${port}`
  const state = relative(process.cwd(), stateDirectory) || "."
  return [
    "",
    ...prepared.events.map((event) => `  ${event}`),
    "",
    `  Hinterland is ready at ${origin}`,
    `  API reference: ${origin}/docs`,
    `  Mail preview: ${origin}/mail/preview`,
    `  ${administrator(prepared)}`,
    `  Data: ${state} (${prepared.restarted ? "kept from the last run" : "new"})`,
    "",
    ...[...prepared.examples.map((example) => curl(origin, example)), signIn(prepared, origin)].map(
      (line) => `  ${line}`,
    ),
    "",
  ].join("\n")
}

function administrator({ administrator: { email, password, made } }: Prepared): string {
  if (password === null) return `Administrator: ${email}, with the password given when it was made`
  return `Administrator: ${email}, password ${password}${made ? " (just made)" : ""}`
}

/** A read, as curl: each pair becomes an encoded parameter of the query. */
export interface Example {
  path: string
  query?: Record<string, string>
}

const curl = (origin: string, { path, query = {} }: Example): string =>
  [
    `curl -G ${quote(origin + path)}`,
    ...Object.entries(query).map(
      ([name, value]) => `--data-urlencode ${quote(`${name}=${value}`)}`,
    ),
  ].join(" ")

function signIn({ administrator: { email, password } }: Prepared, origin: string): string {
  const body = JSON.stringify({ email, password: password ?? "<password>" })
  return `curl ${quote(`${origin}/auth/sessions`)} -H 'content-type: application/json' -d ${quote(body)}`
}

/** One word for a POSIX shell. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
