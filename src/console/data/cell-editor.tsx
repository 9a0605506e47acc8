import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { write } from "../backend.ts"
import { useTell } from "../problem.tsx"
import { useText } from "../text.tsx"
import type { CollectionDescription, FieldDescription } from "./collections.ts"
import { FieldInput } from "./field-input.tsx"
import type { AnyRecord } from "./records.ts"
import { refreshRecords } from "./refresh.ts"
import { restore, useUndo } from "./undo.tsx"

const editable = new Set([
  "text",
  "integer",
  "number",
  "boolean",
  "choice",
  "date",
  "datetime",
  "email",
  "url",
])

export const isEditable = (collection: CollectionDescription, { name, kind }: FieldDescription) =>
  !collection.readOnly &&
  editable.has(kind) &&
  collection.fields.some((field) => field.name === name && field.kind === kind)

/** One value, edited where it stands. Enter and leaving save, Escape does not; a version that moved on is refused. */
export function CellEditor(props: {
  collection: CollectionDescription
  field: FieldDescription
  record: AnyRecord
  onDone: () => void
}) {
  const { collection, field, record, onDone } = props
  const text = useText()
  const tell = useTell()
  const queries = useQueryClient()
  const offerUndo = useUndo()
  const [value, setValue] = useState(record[field.name])
  const [busy, setBusy] = useState(false)
  const path = `/records/${collection.name}/${record.id}`

  async function save(): Promise<void> {
    if (busy || value === record[field.name]) return onDone()
    setBusy(true)
    try {
      const saved = await write<AnyRecord>(
        "PATCH",
        path,
        { [field.name]: value },
        { "if-match": `"${record.version}"` },
      )
      offerUndo(text.saved, collection.name, () => restore(collection.name, record, saved.version))
      await refreshRecords(queries, collection.name, { saved })
    } catch (error) {
      tell.failed(error)
    } finally {
      onDone()
    }
  }
  return (
    // The keys are the input's own while it is open, not the grid's.
    <form
      className="grid-editor"
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
      onKeyDown={(event) => {
        event.stopPropagation()
        if (event.key === "Escape") onDone()
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) void save()
      }}
    >
      <FieldInput
        field={field}
        value={value}
        onChange={setValue}
        label=""
        size="xs"
        autoFocus
        disabled={busy}
      />
    </form>
  )
}
