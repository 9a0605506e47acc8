import { Combobox, Textarea, useCombobox } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { useRef, useState } from "react"
import { useText } from "../text.tsx"
import { type CollectionDescription, collectionsQuery } from "./collections.ts"

const words = [
  "@me.id",
  "@now",
  "@today",
  "true",
  "false",
  "null",
  "in (",
  "lower(",
  "length(",
  "day(",
  "month(",
  "year(",
  "any(",
  "all(",
  "none(",
  "count(",
  "has(",
]

/** An expression, with the names that the word at the cursor may become, through relations too. */
export function ExpressionInput(props: {
  collection: CollectionDescription
  value: string
  onChange: (text: string) => void
}) {
  const { collection, value, onChange } = props
  const text = useText()
  const { data } = useQuery(collectionsQuery)
  const combobox = useCombobox({ onDropdownClose: () => combobox.resetSelectedOption() })
  const input = useRef<HTMLTextAreaElement>(null)
  const [word, setWord] = useState("")
  const suggestions = word === "" ? [] : suggest(word, collection, data?.items ?? [])

  function look(): void {
    const { value, selectionStart } = input.current as HTMLTextAreaElement
    const now = wordBefore(value, selectionStart)
    setWord(now)
    if (now === "") combobox.closeDropdown()
    else combobox.openDropdown()
  }
  function complete(choice: string): void {
    const area = input.current as HTMLTextAreaElement
    const at = area.selectionStart
    const start = at - word.length
    onChange(area.value.slice(0, start) + choice + area.value.slice(at))
    combobox.closeDropdown()
    setWord("")
    requestAnimationFrame(() => {
      area.focus()
      area.setSelectionRange(start + choice.length, start + choice.length)
    })
  }
  return (
    <Combobox store={combobox} onOptionSubmit={complete}>
      <Combobox.EventsTarget>
        <Textarea
          ref={input}
          autosize
          minRows={1}
          maxRows={8}
          ff="monospace"
          aria-label={text.data.filter}
          placeholder={text.data.filterHint}
          spellCheck={false}
          value={value}
          onChange={(event) => {
            onChange(event.currentTarget.value)
            requestAnimationFrame(look)
          }}
          onBlur={() => combobox.closeDropdown()}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !combobox.dropdownOpened) {
              event.preventDefault()
              event.currentTarget.form?.requestSubmit()
            }
            if (event.key === "Tab" && combobox.dropdownOpened && suggestions[0]) {
              event.preventDefault()
              complete(suggestions[0])
            }
          }}
        />
      </Combobox.EventsTarget>
      <Combobox.Dropdown hidden={suggestions.length === 0}>
        <Combobox.Options>
          {suggestions.map((name) => (
            <Combobox.Option value={name} key={name}>
              {name}
            </Combobox.Option>
          ))}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  )
}

/** The name that ends at the cursor; none within quotes. */
export function wordBefore(text: string, at: number): string {
  const before = text.slice(0, at)
  const quotes = before.replace(/\\./g, "").match(/["']/g)?.length ?? 0
  if (quotes % 2 === 1) return ""
  return /[@A-Za-z][\w.]*$/.exec(before)?.[0] ?? ""
}

/** Names that begin as the word does: fields of the collection, or of where its path has led. */
export function suggest(
  word: string,
  collection: CollectionDescription,
  all: readonly CollectionDescription[],
): string[] {
  const steps = word.split(".")
  const last = steps.pop() ?? ""
  let at: CollectionDescription | undefined = collection
  for (const step of steps) {
    const target: string | undefined = at?.fields.find(({ name }) => name === step)?.options.target
    at = all.find(({ name }) => name === target)
  }
  if (!at) return []
  const prefix = steps.map((step) => `${step}.`).join("")
  const names = [
    ...at.fields.map(({ name }) => name),
    "id",
    "createdAt",
    "updatedAt",
    "createdBy",
    "version",
    ...(steps.length === 0 ? words : []),
  ]
  return names
    .filter((name) => name.toLowerCase().startsWith(last.toLowerCase()) && name !== last)
    .slice(0, 8)
    .map((name) => prefix + name)
}
