import { Badge, Button, Group, Stack, TextInput, Title } from "@mantine/core"
import { useDebouncedValue } from "@mantine/hooks"
import { useState } from "react"
import { useLocation } from "wouter"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import type { Person } from "./person.ts"
import { InviteDialog, OpenInvitations } from "./user-invitations.tsx"

/** Everybody with an account; the search finds addresses and names by how they begin. */
export default function Users() {
  const { text, language } = useLanguage()
  const [, go] = useLocation()
  const [typed, setTyped] = useState("")
  const [inviting, setInviting] = useState(false)
  const [search] = useDebouncedValue(typed, 250)
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2}>{text.people.title}</Title>
        <Group gap="xs">
          <TextInput
            type="search"
            w={{ base: "100%", xs: 280 }}
            aria-label={text.people.search}
            placeholder={text.people.search}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Button onClick={() => setInviting(true)}>{text.organisations.invite}</Button>
        </Group>
      </Group>
      <PagedTable<Person>
        path="/auth/users"
        parameters={{ search: search || null }}
        keyOf={({ id }) => id}
        empty={text.people.empty}
        onOpen={({ id }) => go(`/users/${id}`)}
        columns={[
          { head: text.signIn.email, cell: ({ email }) => email },
          { head: text.signIn.name, cell: ({ name }) => name ?? "–" },
          {
            head: text.people.roles,
            cell: ({ roles }) =>
              roles.length === 0
                ? "–"
                : roles.map((role) => (
                    <Badge key={role} variant="light" mr={4}>
                      {role}
                    </Badge>
                  )),
          },
          {
            head: text.people.state,
            cell: ({ disabledAt }) =>
              disabledAt ? <Badge color="red">{text.people.disabled}</Badge> : text.people.active,
          },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
        ]}
      />
      <OpenInvitations />
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
    </Stack>
  )
}
