import { JsonInput, NumberInput, Select, Switch, Textarea, TextInput } from "@mantine/core"
import { FilesInput, type Sending } from "../files/files-input.tsx"
import { useText } from "../text.tsx"
import type { FieldDescription } from "./collections.ts"
import { RelationInput, RelationsInput } from "./relation-input.tsx"

interface Props {
  readonly field: FieldDescription
  readonly value: unknown
  readonly onChange: (value: unknown) => void
  readonly error?: string | undefined
  readonly label?: string | undefined
  readonly autoFocus?: boolean
  readonly disabled?: boolean
  /** Small, within a row. */
  readonly size?: "xs"
  /** How files are sent; where that is not told, a file is an id. */
  readonly sending?: Sending
}

/** The input that suits a field, by its kind and options. An empty one is null. */
export function FieldInput(props: Props) {
  const { field, value, onChange, error, label = field.name, sending, ...rest } = props
  const text = useText()
  const { kind, options } = field
  const common = {
    label: label || undefined,
    "aria-label": label ? undefined : field.name,
    description: label ? options.description : undefined,
    withAsterisk: field.required && kind !== "boolean",
    error,
    ...rest,
  }
  const typed = value === null || value === undefined ? "" : String(value)
  const onText = (now: string) => onChange(now === "" ? null : now)
  switch (kind) {
    case "boolean":
      return (
        <Switch
          {...common}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      )
    case "integer":
    case "number":
      return (
        <NumberInput
          {...common}
          value={typeof value === "number" ? value : ""}
          // What is begun, a sign or a point, is no number yet.
          onChange={(now) => onChange(now === "" || Number.isNaN(Number(now)) ? null : Number(now))}
          allowDecimal={kind === "number"}
          {...(typeof options.min === "number" && { min: options.min })}
          {...(typeof options.max === "number" && { max: options.max })}
          clampBehavior="none"
        />
      )
    case "choice":
      return (
        <Select
          {...common}
          data={[...(options.choices ?? [])]}
          value={typed || null}
          onChange={onChange}
          clearable={!field.required}
          searchable
        />
      )
    case "markdown":
      return (
        <Textarea
          {...common}
          autosize
          minRows={4}
          maxRows={16}
          value={typed}
          onChange={(event) => onText(event.currentTarget.value)}
        />
      )
    case "json":
    case "point":
      return (
        <JsonInput
          {...common}
          autosize
          minRows={3}
          formatOnBlur
          validationError={text.data.invalidJson}
          defaultValue={value === null || value === undefined ? "" : JSON.stringify(value, null, 2)}
          onChange={(now) => onChange(parsed(now))}
        />
      )
    case "relation":
      return (
        <RelationInput
          {...common}
          target={options.target ?? ""}
          value={typed || null}
          onChange={onChange}
        />
      )
    case "relations":
      return (
        <RelationsInput
          {...common}
          target={options.target ?? ""}
          value={(value as string[] | null) ?? []}
          onChange={onChange}
        />
      )
    case "file":
    case "files":
      if (sending) {
        return (
          <FilesInput
            {...common}
            field={field}
            value={Array.isArray(value) ? value : typed ? [typed] : []}
            onChange={(ids) => onChange(kind === "files" ? ids : (ids[0] ?? null))}
            sending={sending}
          />
        )
      }
      break
    case "date":
      return (
        <TextInput
          {...common}
          type="date"
          value={typed}
          onChange={(event) => onText(event.currentTarget.value)}
        />
      )
    case "datetime":
      return (
        <TextInput
          {...common}
          type="datetime-local"
          step="1"
          value={typed ? localOf(typed) : ""}
          onChange={(event) => {
            const now = event.currentTarget.value
            onChange(now ? new Date(now).toISOString() : null)
          }}
        />
      )
  }
  return (
    <TextInput
      {...common}
      type={kind === "email" ? "email" : kind === "url" ? "url" : "text"}
      value={typed}
      onChange={(event) => onText(event.currentTarget.value)}
    />
  )
}

/** What a `datetime-local` input shows: the instant on the clock of the viewer's zone. */
function localOf(iso: string): string {
  const at = new Date(iso)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

/** JSON that is not whole yet goes as text, and the server says what is wrong with it. */
function parsed(text: string): unknown {
  if (text.trim() === "") return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
