import { type ComponentType, lazy } from "react"
import { pages as ownPages } from "../app/console.ts"
import type { Messages } from "./messages-en.ts"
import { Overview } from "./overview/overview.tsx"
import { invitationsPath } from "./sign-in/fragment.ts"

/** A page of the console. */
export interface ConsolePage {
  /** From `/console`, with parameters as in `/data/:collection`. */
  readonly path: string
  /** Loaded when it is led to, but for the one where people arrive. */
  readonly component: ComponentType
  /** How the menu calls it; pages without are led to by others. */
  readonly label?: (text: Messages) => string
  readonly group: "overview" | "data" | "people" | "work" | "own" | "account"
}

/** A page of a product or domain: one line in `src/app/console.ts` makes it part of the console. */
export interface OwnPage {
  readonly path: string
  readonly label: { readonly en: string; readonly de: string }
  readonly load: () => Promise<{ default: ComponentType }>
}

const page = (
  group: ConsolePage["group"],
  path: string,
  load: () => Promise<{ default: ComponentType }>,
  label?: (text: Messages) => string,
): ConsolePage => ({ group, path, component: lazy(load), ...(label && { label }) })

/** Those that are for everybody who has an account. */
export const openPaths: readonly string[] = ["/account", invitationsPath]

/** All pages, in the order of the menu. */
export const pages: readonly ConsolePage[] = [
  { group: "overview", path: "/", component: Overview, label: (text) => text.nav.overview },
  page(
    "data",
    "/schema",
    () => import("./data/schema-page.tsx"),
    (text) => text.nav.schema,
  ),
  page("data", "/data/:collection/import", () => import("./data/import-page.tsx")),
  page("data", "/data/:collection/:id?", () => import("./data/collection-page.tsx")),
  page(
    "data",
    "/files",
    () => import("./files/files-page.tsx"),
    (text) => text.nav.files,
  ),
  page(
    "data",
    "/changes",
    () => import("./work/changes.tsx"),
    (text) => text.nav.changes,
  ),
  page(
    "data",
    "/exposure",
    () => import("./data/exposure.tsx"),
    (text) => text.nav.exposure,
  ),
  page(
    "people",
    "/users",
    () => import("./people/users.tsx"),
    (text) => text.nav.users,
  ),
  page("people", "/users/:id", () => import("./people/user.tsx")),
  page(
    "people",
    "/organisations",
    () => import("./people/organisations.tsx"),
    (text) => text.nav.organisations,
  ),
  page(
    "people",
    "/keys",
    () => import("./people/keys.tsx"),
    (text) => text.nav.keys,
  ),
  page(
    "people",
    "/audit",
    () => import("./people/audit.tsx"),
    (text) => text.nav.audit,
  ),
  page(
    "work",
    "/jobs",
    () => import("./work/jobs.tsx"),
    (text) => text.nav.jobs,
  ),
  page(
    "work",
    "/schedules",
    () => import("./work/schedules.tsx"),
    (text) => text.nav.schedules,
  ),
  page(
    "work",
    "/mails",
    () => import("./work/mails.tsx"),
    (text) => text.nav.mails,
  ),
  page(
    "work",
    "/webhooks",
    () => import("./work/webhooks.tsx"),
    (text) => text.nav.webhooks,
  ),
  page(
    "work",
    "/inbound-events",
    () => import("./work/inbound-events.tsx"),
    (text) => text.nav.inbound,
  ),
  page("account", "/account", () => import("./account/account.tsx")),
  page("account", invitationsPath, () => import("./people/invitation.tsx")),
  ...ownPages.map(({ path, label, load }: OwnPage): ConsolePage => {
    const own = page("own", path, load)
    return { ...own, label: (text) => (text.code === "de" ? label.de : label.en) }
  }),
]
