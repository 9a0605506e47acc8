import { ActionIcon, Alert, Button, Group, Select, Stack, Text, TextInput } from "@mantine/core"
import { type FormEvent, useEffect, useState } from "react"
import { Icon } from "../icon.tsx"
import { wordsFor } from "../problem.tsx"
import { useText } from "../text.tsx"
import type { CollectionDescription, FieldDescription } from "./collections.ts"
import { type Condition, comparators, readConditions, writeConditions } from "./conditions.ts"
import { ExpressionInput } from "./expression-input.tsx"
import { FieldInput } from "./field-input.tsx"
import type { Asked } from "./records.ts"

interface Props {
  readonly collection: CollectionDescription
  readonly asked: Asked
  readonly onAsk: (change: Partial<Asked>) => void
  /** What the server had against the filter. */
  readonly error: unknown
}

/** Search, and a filter as a list of conditions or as text: two views of one expression. */
export function FilterBar({ collection, asked, onAsk, error }: Props) {
  const text = useText()
  const [draft, setDraft] = useState(asked.filter)
  const [asText, setAsText] = useState(false)
  const [open, setOpen] = useState(asked.filter !== "")
  useEffect(() => setDraft(asked.filter), [asked.filter])
  const conditions = readConditions(draft)
  const showText = asText || conditions === null
  const apply = (event: FormEvent) => {
    event.preventDefault()
    onAsk({ filter: draft })
  }
  return (
    <Stack gap="xs">
      <Group gap="xs">
        {collection.search.length > 0 && (
          <SearchInput value={asked.search} onSearch={(search) => onAsk({ search })} />
        )}
        <Button
          size="xs"
          variant={asked.filter ? "light" : "default"}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {text.data.filter}
          {asked.filter && conditions ? ` (${conditions.length})` : ""}
        </Button>
      </Group>
      {open && (
        <form onSubmit={apply}>
          <Stack gap="xs">
            {showText ? (
              <>
                <ExpressionInput collection={collection} value={draft} onChange={setDraft} />
                {conditions === null && (
                  <Text size="xs" c="dimmed">
                    {text.data.notConditions}
                  </Text>
                )}
              </>
            ) : (
              conditions?.map((condition, i) => (
                <ConditionRow
                  key={i}
                  collection={collection}
                  condition={condition}
                  onChange={(next) =>
                    setDraft(writeConditions(conditions.map((old, at) => (at === i ? next : old))))
                  }
                  onRemove={() => setDraft(writeConditions(conditions.filter((_, at) => at !== i)))}
                />
              ))
            )}
            {error !== null && error !== undefined && (
              <Alert color="red" role="alert" p="xs">
                {wordsFor(error, text.problem.unexpected)}
              </Alert>
            )}
            <Group gap="xs">
              <Button size="xs" type="submit">
                {text.data.apply}
              </Button>
              {conditions && !showText && (
                <Button
                  size="xs"
                  variant="default"
                  leftSection={<Icon name="plus" />}
                  onClick={() => setDraft(writeConditions([...conditions, firstOf(collection)]))}
                >
                  {text.data.condition}
                </Button>
              )}
              <Button
                size="xs"
                variant="default"
                disabled={conditions === null}
                onClick={() => setAsText(!showText)}
              >
                {showText ? text.data.asConditions : text.data.asText}
              </Button>
              <Button
                size="xs"
                variant="subtle"
                onClick={() => {
                  setDraft("")
                  onAsk({ filter: "" })
                }}
              >
                {text.data.clear}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Stack>
  )
}

function SearchInput({ value, onSearch }: { value: string; onSearch: (words: string) => void }) {
  const text = useText()
  const [typed, setTyped] = useState(value)
  useEffect(() => setTyped(value), [value])
  return (
    <search>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          onSearch(typed)
        }}
      >
        <TextInput
          size="xs"
          type="search"
          aria-label={text.search}
          placeholder={text.search}
          leftSection={<Icon name="search" size={14} />}
          value={typed}
          onChange={(event) => {
            setTyped(event.currentTarget.value)
            if (event.currentTarget.value === "") onSearch("")
          }}
        />
      </form>
    </search>
  )
}

const comparable = ({ kind }: FieldDescription): boolean =>
  !["json", "relations", "files", "backRelation", "point"].includes(kind)

function firstOf({ fields }: CollectionDescription): Condition {
  const field = fields.find(comparable)
  return field
    ? { field: field.name, comparator: "=", value: emptyValue(field) }
    : { field: "id", comparator: "=", value: "" }
}

const emptyValue = ({ kind, options }: FieldDescription): Condition["value"] =>
  kind === "boolean"
    ? true
    : kind === "integer" || kind === "number" || kind === "rollup"
      ? 0
      : (options.choices?.[0] ?? "")

function ConditionRow(props: {
  collection: CollectionDescription
  condition: Condition
  onChange: (next: Condition) => void
  onRemove: () => void
}) {
  const text = useText()
  const { condition, onChange } = props
  const fields = props.collection.fields.filter(comparable)
  const known = fields.find(({ name }) => name === condition.field)
  const field: FieldDescription = known ?? {
    name: condition.field,
    kind: typeof condition.value === "number" ? "number" : "text",
    required: false,
    options: {},
  }
  const isNull = condition.value === null
  const chosen = isNull ? (condition.comparator === "=" ? "null" : "!null") : condition.comparator
  const texts = field.kind === "text" || field.kind === "markdown"
  const choices = [
    ...comparators.filter((it) => texts || (it !== "~" && it !== "!~")),
    "null" as const,
    "!null" as const,
  ]
  return (
    <Group gap="xs" align="flex-start">
      <Select
        size="xs"
        w={180}
        aria-label={text.data.field}
        data={[
          ...new Set([
            ...fields.map(({ name }) => name),
            "createdAt",
            "updatedAt",
            condition.field,
          ]),
        ]}
        value={condition.field}
        searchable
        allowDeselect={false}
        onChange={(name) => {
          const next = fields.find((it) => it.name === name)
          onChange({ field: name ?? "", comparator: "=", value: next ? emptyValue(next) : "" })
        }}
      />
      <Select
        size="xs"
        w={160}
        aria-label={text.data.operator}
        data={choices.map((value) => ({ value, label: text.data.operators[value] }))}
        value={chosen}
        allowDeselect={false}
        onChange={(value) => {
          if (value === "null") onChange({ ...condition, comparator: "=", value: null })
          else if (value === "!null") onChange({ ...condition, comparator: "!=", value: null })
          else
            onChange({
              ...condition,
              comparator: value as Condition["comparator"],
              value: isNull ? emptyValue(field) : condition.value,
            })
        }}
      />
      {!isNull && (
        <FieldInput
          field={{ ...field, kind: inputKind(field), required: false }}
          label=""
          size="xs"
          value={condition.value}
          onChange={(value) =>
            onChange({ ...condition, value: (value ?? emptyValue(field)) as Condition["value"] })
          }
        />
      )}
      <ActionIcon variant="subtle" color="gray" aria-label={text.delete} onClick={props.onRemove}>
        <Icon name="close" />
      </ActionIcon>
    </Group>
  )
}

const inputKind = ({ kind }: FieldDescription): string =>
  kind === "rollup"
    ? "number"
    : kind === "markdown" || kind === "email" || kind === "url"
      ? "text"
      : kind
