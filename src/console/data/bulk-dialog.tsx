import { ActionIcon, Button, Code, Group, Modal, Select, Stack, Text } from "@mantine/core"
import { useState } from "react"
import { backend, pathWith } from "../backend.ts"
import { amount } from "../dates.ts"
import { Icon } from "../icon.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { type BulkOperation, OperationReport, useOperation } from "./bulk-operation.tsx"
import { type CollectionDescription, writableFields } from "./collections.ts"
import { type Condition, writeConditions } from "./conditions.ts"
import { FieldInput } from "./field-input.tsx"
import { filterOf, restoreAll, useUndo, type VersionedId, versionsFound } from "./undo.tsx"

/** Which records: those that were chosen, or all that a filter finds. */
export type Which = { readonly ids: readonly string[] } | { readonly filter: string }

/** Many records edited or deleted at once: tried first, which says how many, then done, and taken back where that can be. */
export default function BulkDialog(props: {
  collection: CollectionDescription
  which: Which
  kind: "update" | "delete"
  onClose: () => void
}) {
  const { collection, kind, onClose } = props
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const offerUndo = useUndo()
  // What the page lists may change under the dialog, as by the browser's Back; what was tried is what is done.
  const [which] = useState(props.which)
  const [patch, setPatch] = useState<Record<string, unknown>>({})
  const [id, setId] = useState<string | null>(null)
  const [before, setBefore] = useState<readonly VersionedId[] | null>(null)
  const t = text.bulk
  const n = (count: number) => amount(count, language)
  const all = "ids" in which ? filterOf(which.ids) : which.filter || "id != null"
  const filter = kind === "delete" ? all : unlessSoAlready(all, patch, collection)

  const operation = useOperation(id, (over) => {
    const count = over.updated + over.deleted
    if (over.dryRun || count === 0) return
    const message = kind === "delete" ? t.deleted(n(count)) : t.changed(n(count))
    if (before) {
      offerUndo(message, collection.name, async (tell) => {
        const { restored, left } = await restoreAll(collection.name, before, kind, (done, all) =>
          tell(t.undoing(n(done), n(all))),
        )
        return left > 0 ? `${t.undone(n(restored))} ${t.notUndone(n(left))}` : t.undone(n(restored))
      })
    }
    if (over.refused === 0 && over.state === "succeeded") onClose()
  })
  const send = (dryRun: boolean) =>
    run(async () => {
      if (!dryRun) setBefore(await versionsFound(collection.name, filter))
      const begun = await backend.request<BulkOperation>({
        method: kind === "delete" ? "DELETE" : "PATCH",
        path: pathWith(`/records/${collection.name}`, { filter, dryRun: String(dryRun) }),
        headers: { prefer: "respond-async" },
        ...(kind === "update" && { body: patch }),
      })
      setId(begun.id)
    })
  const change = (next: Record<string, unknown>) => {
    setPatch(next)
    setId(null)
  }
  const tried = operation?.dryRun && operation.state === "succeeded" ? operation : null
  const affected = tried ? tried.updated + tried.deleted : 0
  const running = operation?.state === "running"
  const done = operation !== undefined && !operation.dryRun && !running
  const empty = kind === "update" && Object.keys(patch).length === 0
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={kind === "delete" ? t.deleteTitle : t.editTitle}
      closeButtonProps={{ "aria-label": text.close }}
    >
      <Stack>
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          <Subject which={which} />
        </Text>
        {kind === "update" && !done && (
          <PatchForm collection={collection} patch={patch} onChange={change} />
        )}
        {id !== null && <OperationReport id={id} />}
        {kind === "delete" && !done && <Text size="sm">{t.inBin}</Text>}
        {!done && (
          <Group justify="flex-end">
            <Button
              variant="default"
              loading={busy || running}
              disabled={empty}
              onClick={() => void send(true)}
            >
              {t.tryIt}
            </Button>
            <Button
              loading={busy || running}
              disabled={empty || affected === 0}
              {...(kind === "delete" && { color: "red" })}
              onClick={() => void send(false)}
            >
              {kind === "delete" ? t.deleteNow(n(affected)) : t.changeNow(n(affected))}
            </Button>
          </Group>
        )}
      </Stack>
    </Modal>
  )
}

const comparable = new Set(
  "text markdown email url choice integer number boolean date datetime relation".split(" "),
)
/** Filters have at most 4,000 characters. */
const maxFilter = 4_000

/** The filter without records that are as the patch would make them: a try could not tell these from others. */
function unlessSoAlready(
  filter: string,
  patch: Readonly<Record<string, unknown>>,
  { fields }: CollectionDescription,
): string {
  const kinds = new Map(fields.map(({ name, kind }) => [name, kind]))
  const names = Object.keys(patch)
  if (names.length === 0 || !names.every((name) => comparable.has(kinds.get(name) ?? ""))) {
    return filter
  }
  const differs = names.map((field) =>
    writeConditions([{ field, comparator: "!=", value: patch[field] as Condition["value"] }]),
  )
  const narrowed = `(${filter}) && (${differs.join(" || ")})`
  return narrowed.length > maxFilter ? filter : narrowed
}

function Subject({ which }: { which: Which }) {
  const { text, language } = useLanguage()
  if ("ids" in which) return text.bulk.whichChosen(amount(which.ids.length, language))
  if (which.filter === "") return text.bulk.whichAll
  return (
    <>
      {text.bulk.whichFound} <Code>{which.filter}</Code>
    </>
  )
}

/** The fields that are to have one value in all records. */
function PatchForm(props: {
  collection: CollectionDescription
  patch: Readonly<Record<string, unknown>>
  onChange: (patch: Record<string, unknown>) => void
}) {
  const { text } = useLanguage()
  const { collection, patch, onChange } = props
  // A file is sent for one record.
  const fields = writableFields(collection).filter(({ kind }) => !kind.startsWith("file"))
  const left = fields.filter(({ name }) => !(name in patch)).map(({ name }) => name)
  return (
    <>
      {fields
        .filter(({ name }) => name in patch)
        .map((field) => (
          <Group key={field.name} align="flex-end" wrap="nowrap">
            <div style={{ flex: 1, minWidth: 0 }}>
              <FieldInput
                field={field}
                value={patch[field.name]}
                onChange={(value) => onChange({ ...patch, [field.name]: value })}
              />
            </div>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={`${text.import.ignore}: ${field.name}`}
              onClick={() => {
                const { [field.name]: _, ...rest } = patch
                onChange(rest)
              }}
            >
              <Icon name="close" />
            </ActionIcon>
          </Group>
        ))}
      <Select
        label={text.bulk.addField}
        placeholder={text.data.pick}
        data={left}
        value={null}
        searchable
        onChange={(name) => name && onChange({ ...patch, [name]: null })}
      />
    </>
  )
}
