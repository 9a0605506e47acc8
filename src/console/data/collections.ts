import { queryOptions } from "@tanstack/react-query"
import { read } from "../backend.ts"

export interface FieldDescription {
  readonly name: string
  readonly kind: string
  readonly required: boolean
  readonly options: {
    readonly target?: string
    readonly backField?: string
    readonly choices?: readonly string[]
    readonly min?: number | string
    readonly max?: number | string
    readonly pattern?: string
    readonly default?: unknown
    readonly readable?: string
    readonly writable?: string
    readonly description?: string
    readonly unique?: boolean
    /** Of files: what their content may be, and how many bytes each may have. */
    readonly types?: readonly string[]
    readonly maxBytes?: number
  }
}

export type RuleText = string | { readonly before: string; readonly after: string }

export interface CollectionDescription {
  readonly name: string
  readonly description: string | null
  readonly scope: "organisation" | null
  /** Whether deployment administrators pass over the rules, or obey them. */
  readonly administrators: "pass" | "obey"
  readonly fields: readonly FieldDescription[]
  readonly rules: Readonly<Partial<Record<"read" | "create" | "update" | "delete", RuleText>>>
  readonly search: readonly string[]
  readonly unique: readonly (readonly string[])[]
  readonly indexes: readonly (readonly string[])[]
  readonly readOnly: boolean
}

/** The definitions of all collections: they change with a deployment, not while a page is open. */
export const collectionsQuery = queryOptions({
  queryKey: ["collections"],
  queryFn: () => read<{ items: CollectionDescription[] }>("/collections"),
  staleTime: Number.POSITIVE_INFINITY,
})

/** Fields that a person writes, in the order of the definition. */
export const writableFields = ({ fields }: CollectionDescription): FieldDescription[] =>
  fields.filter(({ kind }) => kind !== "backRelation" && kind !== "rollup")

/** The field by which people know a record. */
export const titleField = ({ fields, search }: CollectionDescription): string | null =>
  fields.find(({ name }) => name === "title" || name === "name")?.name ??
  search[0] ??
  fields.find(({ kind }) => kind === "text")?.name ??
  null
