import { Button, JsonInput, NumberInput, Select, Stack, TagsInput, TextInput } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { type FormEvent, useState } from "react"
import { useText } from "../text.tsx"
import { type Endpoint, eventTypesQuery } from "./webhook-endpoint.ts"

/** What the API takes. */
export interface Draft {
  readonly url: string
  readonly events: readonly string[]
  readonly description: string | null
  readonly filter: string | null
  readonly fields: readonly string[] | null
  readonly headers?: Readonly<Record<string, string>> | null
  readonly ratePerSecond: number
  readonly scheme?: string
}

interface Props {
  /** That is edited; none is made. */
  readonly endpoint?: Endpoint
  readonly busy: boolean
  readonly onSubmit: (draft: Draft) => void
}

/** An endpoint's address, what it hears of, and how. Headers are not shown again, so they are sent only when they are typed. */
export function EndpointForm({ endpoint, busy, onSubmit }: Props) {
  const text = useText()
  const t = text.webhooks
  const catalogue = useQuery(eventTypesQuery)
  const [events, setEvents] = useState<string[]>([...(endpoint?.events ?? [])])
  const [fields, setFields] = useState<string[]>([...(endpoint?.fields ?? [])])
  const [headers, setHeaders] = useState("")
  const types = (catalogue.data?.items ?? []).map(({ type }) => type)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const data = new FormData(event.currentTarget)
    const textOf = (name: string) => String(data.get(name) ?? "").trim()
    onSubmit({
      url: textOf("url"),
      events,
      description: textOf("description") || null,
      filter: textOf("filter") || null,
      fields: fields.length > 0 ? fields : null,
      ratePerSecond: Number(textOf("rate")),
      ...(headers.trim() && { headers: JSON.parse(headers) }),
      ...(!endpoint && { scheme: textOf("scheme") }),
    })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label={t.url}
          name="url"
          type="url"
          required
          placeholder="https://hooks.example.com/hinterland"
          defaultValue={endpoint?.url}
        />
        <TagsInput label={t.events} data={types} value={events} onChange={setEvents} withAsterisk />
        <TextInput
          label={t.description}
          name="description"
          defaultValue={endpoint?.description ?? ""}
        />
        <TextInput
          label={t.filter}
          description={t.filterHint}
          name="filter"
          defaultValue={endpoint?.filter ?? ""}
        />
        <TagsInput
          label={t.fields}
          description={t.fieldsHint}
          value={fields}
          onChange={setFields}
        />
        <JsonInput
          label={t.headers}
          description={endpoint?.headers.length ? endpoint.headers.join(", ") : t.headersHint}
          placeholder='{"authorization": "Bearer …"}'
          value={headers}
          onChange={setHeaders}
          autosize
          minRows={2}
          validationError={text.data.invalidJson}
        />
        <NumberInput
          label={t.rate}
          name="rate"
          min={1}
          max={100}
          defaultValue={endpoint?.ratePerSecond ?? 20}
        />
        {!endpoint && (
          <Select
            label={t.scheme}
            name="scheme"
            allowDeselect={false}
            defaultValue="v1"
            data={[
              { value: "v1", label: "HMAC-SHA256 (v1)" },
              { value: "v1a", label: "Ed25519 (v1a)" },
            ]}
          />
        )}
        <Button type="submit" loading={busy} w="fit-content">
          {endpoint ? text.save : text.create}
        </Button>
      </Stack>
    </form>
  )
}
