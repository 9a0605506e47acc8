import { Alert, Button, Code, Drawer, Group, Loader, Modal, Stack, Tabs, Text } from "@mantine/core"
import { useQuery, useQueryClient } from "@tanstack/react-query"
import { type FormEvent, lazy, Suspense, useEffect, useState } from "react"
import { isProblem, read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { ProblemNotice, useTell } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { useParameters } from "../use-parameters.ts"
import { Value } from "./cell.tsx"
import { type CollectionDescription, titleField, writableFields } from "./collections.ts"
import { FieldInput } from "./field-input.tsx"
import { type AnyRecord, recordQuery } from "./records.ts"
import { refreshRecords } from "./refresh.ts"
import { restore, useUndo } from "./undo.tsx"
import { useReader, useViewing } from "./viewer.tsx"

const History = lazy(() => import("./history.tsx").then(({ History }) => ({ default: History })))

interface Props {
  readonly collection: CollectionDescription
  /** Of the record, or `new`. */
  readonly id: string
  readonly onClose: () => void
}

/** One record, to read, change or delete; what was typed is not thrown away without asking. */
export function RecordDrawer({ collection, id, onClose }: Props) {
  const { text } = useLanguage()
  const [dirty, setDirty] = useState(false)
  const [parameters] = useParameters()
  const isNew = id === "new"
  const reader = useReader()
  const query = useQuery({ ...recordQuery(collection.name, id, reader), enabled: !isNew })
  useEffect(() => {
    if (!dirty) return
    const warn = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener("beforeunload", warn)
    return () => removeEventListener("beforeunload", warn)
  }, [dirty])
  const close = () => {
    if (!dirty || confirm(text.data.unsaved)) onClose()
  }
  const title = titleField(collection)
  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size="lg"
      title={isNew ? text.data.new : String((title && query.data?.[title]) ?? text.data.record)}
      closeButtonProps={{ "aria-label": text.close }}
    >
      {query.error && <ProblemNotice error={query.error} />}
      {!isNew && query.isPending && <Loader role="status" aria-label={text.loading} />}
      {isNew && (
        <RecordForm collection={collection} record={null} onDirty={setDirty} onDone={onClose} />
      )}
      {query.data && (
        <Tabs defaultValue={parameters.get("tab") ?? "fields"}>
          <Tabs.List mb="md">
            <Tabs.Tab value="fields">{text.data.tabs.fields}</Tabs.Tab>
            {!collection.readOnly && <Tabs.Tab value="history">{text.data.tabs.history}</Tabs.Tab>}
          </Tabs.List>
          <Tabs.Panel value="fields">
            <RecordForm
              key={id}
              collection={collection}
              record={query.data}
              onDirty={setDirty}
              onDone={onClose}
            />
          </Tabs.Panel>
          <Tabs.Panel value="history">
            <Suspense fallback={<Loader role="status" aria-label={text.loading} />}>
              <History collection={collection} record={query.data} />
            </Suspense>
          </Tabs.Panel>
        </Tabs>
      )}
    </Drawer>
  )
}

function RecordForm(props: {
  collection: CollectionDescription
  record: AnyRecord | null
  onDirty: (dirty: boolean) => void
  onDone: () => void
}) {
  const { collection, record, onDirty, onDone } = props
  const { text, language } = useLanguage()
  const tell = useTell()
  const offerUndo = useUndo()
  const queries = useQueryClient()
  const [changes, setChanges] = useState<Record<string, unknown>>({})
  /** The version that the changes are made to: the one that was opened, until its writer has seen a newer one. */
  const [base, setBase] = useState(record)
  const [theirs, setTheirs] = useState<AnyRecord | null>(null)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const [deleting, setDeleting] = useState(false)
  const path = `/records/${collection.name}`
  const { viewer } = useViewing()
  const fixed = collection.readOnly || viewer !== null
  const fields = writableFields(collection).filter(({ name }) => !viewer || (base && name in base))
  /** Fields whose files are still on their way. */
  const [waiting, setWaiting] = useState<ReadonlySet<string>>(new Set())
  const dirty = Object.keys(changes).length > 0 || waiting.size > 0
  useEffect(() => onDirty(dirty), [dirty, onDirty])
  // A version that came meanwhile replaces what nobody has touched.
  useEffect(() => {
    if (!dirty) setBase(record)
  }, [dirty, record])
  const wrong = new Map(
    isProblem(error) ? error.errors.map((it) => [it.path.split(".")[0], it.message]) : [],
  )

  async function attempt(work: () => Promise<AnyRecord | undefined>, gone = false): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      const saved = await work()
      onDirty(false)
      await refreshRecords(queries, collection.name, {
        ...(saved && { saved }),
        ...(gone && { gone: base?.id }),
      })
      onDone()
    } catch (failure) {
      if (base && isProblem(failure, "precondition_failed")) {
        const now = await read<AnyRecord>(`${path}/${base.id}`)
        setTheirs(now)
        setBase(now)
      } else setError(failure)
    } finally {
      setBusy(false)
    }
  }
  const save = (event: FormEvent) => {
    event.preventDefault()
    void attempt(async () => {
      if (base) {
        const saved = await write<AnyRecord>("PATCH", `${path}/${base.id}`, changes, {
          "if-match": `"${base.version}"`,
        })
        if (saved.version === base.version) tell.done(text.saved)
        else {
          offerUndo(text.saved, collection.name, () =>
            restore(collection.name, base, saved.version),
          )
        }
        return saved
      }
      await write("POST", path, changes, { "idempotency-key": crypto.randomUUID() })
      tell.done(text.created)
      return undefined
    })
  }
  const remove = () =>
    attempt(async () => {
      if (!base) return undefined
      await write("DELETE", `${path}/${base.id}`, undefined, { "if-match": `"${base.version}"` })
      offerUndo(text.deleted, collection.name, () => restore(collection.name, base, "deleted"))
      return undefined
    }, true)

  return (
    <form onSubmit={save} noValidate>
      <Stack>
        {theirs && <Alert color="orange">{text.data.conflict}</Alert>}
        {error !== undefined && <ProblemNotice error={error} />}
        {collection.readOnly && <Text c="dimmed">{text.data.readOnly}</Text>}
        {fields.map((field) => {
          const value = field.name in changes ? changes[field.name] : base?.[field.name]
          const conflicting = theirs && record && theirs[field.name] !== record[field.name]
          return (
            <div key={field.name}>
              <FieldInput
                field={field}
                sending={{
                  holder: `${collection.name}.${field.name}`,
                  onBusy: (busy) => setWaiting((before) => withOrWithout(before, field.name, busy)),
                }}
                value={value ?? null}
                disabled={fixed}
                error={wrong.get(field.name)}
                onChange={(now) =>
                  setChanges((before) => {
                    const next = { ...before, [field.name]: now }
                    if (base && JSON.stringify(now) === JSON.stringify(base[field.name]))
                      delete next[field.name]
                    return next
                  })
                }
              />
              {conflicting && (
                <Text size="sm" c="orange" component="div">
                  → <Value field={field} value={theirs[field.name]} />
                </Text>
              )}
            </div>
          )
        })}
        {base && (
          <Text size="xs" c="dimmed">
            <Code>{base.id}</Code> · v{base.version} · {moment(base.updatedAt, language)}
          </Text>
        )}
        {!fixed && (
          <Group justify="space-between" className="drawer-actions">
            {base ? (
              <Button color="red" variant="light" onClick={() => setDeleting(true)}>
                {text.delete}
              </Button>
            ) : (
              <span />
            )}
            <Button
              type="submit"
              loading={busy}
              disabled={(!dirty && base !== null) || waiting.size > 0}
            >
              {base ? text.save : text.create}
            </Button>
          </Group>
        )}
      </Stack>
      <Modal opened={deleting} onClose={() => setDeleting(false)} title={text.data.deleteTitle}>
        <Stack>
          <Text size="sm">{text.data.deleteHint}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setDeleting(false)}>
              {text.cancel}
            </Button>
            <Button
              color="red"
              loading={busy}
              onClick={() => {
                setDeleting(false)
                void remove()
              }}
            >
              {text.delete}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </form>
  )
}

/** The same set where nothing changes, so that nothing is drawn again. */
function withOrWithout(
  before: ReadonlySet<string>,
  name: string,
  wanted: boolean,
): ReadonlySet<string> {
  if (before.has(name) === wanted) return before
  const next = new Set(before)
  if (wanted) next.add(name)
  else next.delete(name)
  return next
}
