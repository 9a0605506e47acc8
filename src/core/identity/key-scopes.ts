/*
 * What a key may do, of what its holder may: `articles:read`, `articles:*`, `*:read`, `*:*`. Pure: no clock, no I/O.
 */
export type Action = "read" | "create" | "update" | "delete"
export const actions: readonly Action[] = ["read", "create", "update", "delete"]

/** A collection, or what administrators read, and an action; `*` is any. */
export const scopePattern = /^(?:\*|[A-Za-z]\w{0,62}):(?:\*|read|create|update|delete)$/

/** True when one of the scopes covers it. A scope for a collection that does not exist covers nothing. */
export const grants = (scopes: readonly string[], collection: string, action: Action): boolean =>
  scopes.some((scope) => {
    const [of, to] = scope.split(":")
    return (of === "*" || of === collection) && (to === "*" || to === action)
  })

/**
 * What the keys of administrators may read beside collections. Only where a scope names it: `*` stands for collections,
 * so that a key for all records is not also one for the deployment.
 */
const administration: ReadonlySet<string> = new Set(["metrics", "jobs"])

/** Whether a key may see or change endpoints of webhooks: they send on what it may read, so a scope has to name them. */
export const grantsWebhooks = (scopes: readonly string[], action: Action): boolean =>
  scopes.some((scope) => scope === "webhooks:*" || scope === `webhooks:${action}`)

/** Whether a request for `path` may be made with these scopes of an administrator's key. */
export function grantsAdministration(
  scopes: readonly string[],
  method: string,
  path: string,
): boolean {
  const [, resource = ""] = path.split("/")
  const reads = method === "GET" || method === "HEAD"
  return reads && administration.has(resource) && scopes.includes(`${resource}:read`)
}
