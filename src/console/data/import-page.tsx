import { Alert, Button, FileButton, Group, Select, Stack, Text, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { Link, useParams } from "wouter"
import { backend, pathWith } from "../backend.ts"
import { amount } from "../dates.ts"
import { ProblemNotice } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { useParameters } from "../use-parameters.ts"
import { type BulkOperation, OperationReport, useOperation } from "./bulk-operation.tsx"
import { type CollectionDescription, collectionsQuery, writableFields } from "./collections.ts"
import { type FilePreview, guessFields, previewOf } from "./file-preview.ts"
import { Mapping } from "./import-mapping.tsx"

/** A file of records: seen, mapped, tried, imported. What runs is named in the address, and so found again. */
export default function ImportPage() {
  const { text } = useLanguage()
  const { collection: name = "" } = useParams()
  const { data, error } = useQuery(collectionsQuery)
  const collection = data?.items.find((one) => one.name === name)
  if (error) return <ProblemNotice error={error} />
  if (!data) return null
  if (!collection || collection.readOnly) return <Text>{text.problem.missing}</Text>
  return (
    <Stack maw={900}>
      <Group justify="space-between">
        <Title order={2}>{text.import.title(name)}</Title>
        <Button component={Link} href={`/data/${name}`} variant="default" size="xs">
          {text.import.back(name)}
        </Button>
      </Group>
      <Import key={name} collection={collection} />
    </Stack>
  )
}

interface Chosen {
  readonly file: File
  readonly preview: FilePreview
}

/** Of a file as much as shows its first rows, even where they are long. */
const previewBytes = 256 * 1024

function Import({ collection }: { collection: CollectionDescription }) {
  const { text } = useLanguage()
  const { busy, run } = useAction()
  const [parameters, setParameter] = useParameters()
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const [mapping, setMapping] = useState<Record<string, string | null>>({})
  const [key, setKey] = useState("")
  const id = parameters.get("operation")
  const operation = useOperation(id)
  const running = operation?.state === "running"
  const imported = operation && !operation.dryRun

  async function choose(file: File | null): Promise<void> {
    if (!file) return
    const preview = previewOf(
      file.name,
      await file.slice(0, previewBytes).text(),
      file.size <= previewBytes,
    )
    const fields = ["id", ...writableFields(collection).map(({ name }) => name)]
    setChosen({ file, preview })
    setMapping(guessFields(preview.names, fields))
    setKey("")
    setParameter("operation", "")
  }
  const send = (dryRun: boolean) =>
    run(async () => {
      if (!chosen) return
      const { file, preview } = chosen
      const path = pathWith(`/records/${collection.name}/import`, {
        columns: JSON.stringify(mapping),
        upsert: key,
        dryRun: String(dryRun),
      })
      const begun = await backend.request<BulkOperation>({
        method: "POST",
        path,
        file,
        headers: { "content-type": mediaTypes[preview.format], prefer: "respond-async" },
      })
      setParameter("operation", begun.id)
    })

  if (imported && !chosen) {
    return (
      <Stack>
        <OperationReport id={operation.id} />
        {running && <Text size="sm">{text.import.goOn}</Text>}
        <FileChoice label={text.import.again} onChoose={choose} />
      </Stack>
    )
  }
  const wrong = chosen ? wrongWith(chosen.preview, mapping, text.import) : null
  return (
    <Stack>
      <Group>
        <FileChoice label={text.import.choose} onChoose={choose} />
        <Text size="sm" c={chosen ? undefined : "dimmed"} style={{ overflowWrap: "anywhere" }}>
          {chosen ? <FileName file={chosen.file} /> : text.import.hint}
        </Text>
      </Group>
      {chosen && chosen.preview.names.length > 0 && (
        <>
          <Mapping
            collection={collection}
            preview={chosen.preview}
            mapping={mapping}
            onChange={(column, field) => {
              setMapping((before) => ({ ...before, [column]: field }))
              setParameter("operation", "")
            }}
          />
          <KeyChoice
            collection={collection}
            mapping={mapping}
            value={key}
            onChange={(value) => {
              setKey(value)
              setParameter("operation", "")
            }}
          />
        </>
      )}
      {wrong && (
        <Alert color="orange" role="alert">
          {wrong}
        </Alert>
      )}
      {chosen && (
        <Group>
          <Button
            variant="default"
            loading={busy}
            disabled={wrong !== null || running || imported}
            onClick={() => void send(true)}
          >
            {text.bulk.tryIt}
          </Button>
          <Button
            loading={busy}
            disabled={wrong !== null || running || imported}
            onClick={() => void send(false)}
          >
            {text.import.start}
          </Button>
        </Group>
      )}
      {busy && <Text size="sm">{text.import.sending}</Text>}
      {operation && (
        <section aria-label={text.import.start}>
          {operation.dryRun && (
            <Text size="sm" mb="xs">
              {text.import.tried}
            </Text>
          )}
          <OperationReport id={operation.id} />
          {imported && running && <Text size="sm">{text.import.goOn}</Text>}
        </section>
      )}
    </Stack>
  )
}

const mediaTypes = { csv: "text/csv", ndjson: "application/x-ndjson" } as const

function wrongWith(
  { names, separator }: FilePreview,
  mapping: Readonly<Record<string, string | null>>,
  t: ReturnType<typeof useLanguage>["text"]["import"],
): string | null {
  if (names.length === 0) return t.nothing
  if (separator) return t.separator
  const fields = names.flatMap((name) => mapping[name] ?? [])
  return new Set(fields).size < fields.length ? t.twice : null
}

function FileChoice(props: { label: string; onChoose: (file: File | null) => Promise<void> }) {
  return (
    <FileButton
      accept=".csv,.ndjson,.jsonl,text/csv,application/x-ndjson"
      onChange={(file) => void props.onChoose(file)}
      inputProps={{ "aria-label": props.label }}
    >
      {(button) => (
        <Button variant="light" {...button}>
          {props.label}
        </Button>
      )}
    </FileButton>
  )
}

function FileName({ file }: { file: File }) {
  const { text, language } = useLanguage()
  const kilobytes = Math.max(1, Math.round(file.size / 1024))
  return text.import.file(file.name, `${amount(kilobytes, language)} KB`)
}

/** How rows find records that are here already: by what is unique, as far as the file has it. */
function KeyChoice(props: {
  collection: CollectionDescription
  mapping: Readonly<Record<string, string | null>>
  value: string
  onChange: (key: string) => void
}) {
  const { collection, mapping, value, onChange } = props
  const { text } = useLanguage()
  const mapped = new Set(Object.values(mapping))
  const keys = [
    ["id"],
    ...collection.fields.filter(({ options }) => options.unique).map(({ name }) => [name]),
    ...collection.unique,
  ].filter((key) => key.every((name) => mapped.has(name)))
  const names = [...new Set(keys.map((key) => key.join(",")))]
  const missing = writableFields(collection)
    .filter(({ required, options }) => required && options.default === undefined)
    .filter(({ name }) => !mapped.has(name))
    .map(({ name }) => name)
  return (
    <>
      <Select
        label={text.import.key}
        description={text.import.keyHint}
        maw={420}
        allowDeselect={false}
        data={[
          { value: "", label: text.import.noKey },
          ...names.map((name) => ({ value: name, label: text.import.keyBy(name) })),
        ]}
        value={names.includes(value) ? value : ""}
        onChange={(key) => onChange(key ?? "")}
      />
      {missing.length > 0 && (
        <Alert color="orange">{text.import.missing(missing.join(", "))}</Alert>
      )}
    </>
  )
}
