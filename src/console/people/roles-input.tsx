import { TagsInput } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { collectionsQuery } from "../data/collections.ts"
import { useText } from "../text.tsx"
import { rolesInRules } from "./roles-in-rules.ts"

interface Props {
  readonly value: readonly string[]
  readonly onChange: (roles: string[]) => void
}

/** Roles of the deployment: those that its rules speak of are offered, and any other can be typed. */
export function RolesInput({ value, onChange }: Props) {
  const text = useText()
  const { data } = useQuery(collectionsQuery)
  return (
    <TagsInput
      label={text.people.roles}
      placeholder={text.people.addRole}
      data={["administrator", ...rolesInRules(data?.items ?? [])]}
      value={[...value]}
      onChange={onChange}
      // What follows the input is its form's button, which the choice shall not cover.
      comboboxProps={{ position: "top" }}
      miw={260}
    />
  )
}
