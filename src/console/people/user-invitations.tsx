import { Button, Modal, Stack, Text, TextInput, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { type FormEvent, useState } from "react"
import { ActionButton } from "../action-button.tsx"
import { type Page, read, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { RolesInput } from "./roles-input.tsx"

const path = "/auth/invitations"

interface Invitation {
  readonly id: string
  readonly email: string
  readonly roles: readonly string[]
  readonly expiresAt: string
}

/** Invites somebody to the deployment, with roles. */
export function InviteDialog({ onClose }: { onClose: () => void }) {
  const { text } = useLanguage()
  const { busy, run } = useAction()
  const [roles, setRoles] = useState<string[]>([])
  const t = text.organisations
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const email = String(new FormData(event.currentTarget).get("email"))
    const options = { done: t.invited, changed: [[path]] }
    if (await run(() => write("POST", path, { email, roles }), options)) onClose()
  }
  return (
    <Modal opened onClose={onClose} title={text.people.invite}>
      <form onSubmit={(event) => void submit(event)}>
        <Stack>
          <Text size="sm">{text.people.inviteHint}</Text>
          <TextInput
            label={text.signIn.email}
            name="email"
            type="email"
            required
            data-autofocus
            autoComplete="off"
          />
          <RolesInput value={roles} onChange={setRoles} />
          <Button type="submit" loading={busy}>
            {t.invite}
          </Button>
        </Stack>
      </form>
    </Modal>
  )
}

/** Invitations that nobody has answered yet; nothing where there are none. */
export function OpenInvitations() {
  const { text, language } = useLanguage()
  const t = text.organisations
  const { data } = useQuery({
    queryKey: [path, "any"],
    queryFn: () => read<Page<Invitation>>(`${path}?limit=1`),
  })
  if (!data?.items.length) return null
  return (
    <>
      <Title order={3} size="h4">
        {t.invitations}
      </Title>
      <PagedTable<Invitation>
        path={path}
        keyOf={({ id }) => id}
        empty={text.organisations.noInvitations}
        columns={[
          { head: text.signIn.email, cell: ({ email }) => email },
          { head: text.people.roles, cell: ({ roles }) => roles.join(", ") || "–" },
          { head: t.expires, cell: ({ expiresAt }) => moment(expiresAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <ActionButton
                label={t.revoke}
                work={() => write("DELETE", `${path}/${id}`)}
                done={text.deleted}
                changed={[[path]]}
              />
            ),
          },
        ]}
      />
    </>
  )
}
