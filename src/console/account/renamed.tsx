import { ActionIcon, Group, TextInput } from "@mantine/core"
import type { QueryKey } from "@tanstack/react-query"
import { useState } from "react"
import { Icon } from "../icon.tsx"
import { LineForm } from "../line-form.tsx"
import { useText } from "../text.tsx"

/** A name, and the way to another one. */
export function Renamed(props: {
  name: string
  work: (name: string) => Promise<unknown>
  changed: readonly QueryKey[]
}) {
  const text = useText()
  const [editing, setEditing] = useState(false)
  if (!editing) {
    return (
      <Group gap={4} wrap="nowrap">
        <span style={{ overflowWrap: "anywhere" }}>{props.name}</span>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          aria-label={text.account.rename(props.name)}
          onClick={() => setEditing(true)}
        >
          <Icon name="edit" size={14} />
        </ActionIcon>
      </Group>
    )
  }
  const rename = async ({ name = "" }: Readonly<Record<string, string>>) => {
    await props.work(name)
    setEditing(false)
  }
  return (
    <LineForm submit={text.save} work={rename} done={text.saved} changed={props.changed}>
      <TextInput
        aria-label={text.account.name}
        name="name"
        defaultValue={props.name}
        required
        maxLength={100}
        autoFocus
        onKeyDown={(event) => event.key === "Escape" && setEditing(false)}
      />
    </LineForm>
  )
}
