import {
  Autocomplete,
  Badge,
  Button,
  Drawer,
  Group,
  Modal,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core"
import { type FormEvent, useState } from "react"
import { ActionButton } from "../action-button.tsx"
import { write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"

interface Organisation {
  readonly id: string
  readonly name: string
  readonly roles: readonly string[]
  readonly createdAt: string
}

/** Organisations that one belongs to or administers. */
export default function Organisations() {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const [open, setOpen] = useState<Organisation | null>(null)
  const [making, setMaking] = useState(false)
  const t = text.organisations
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={2}>{t.title}</Title>
        <Button size="xs" onClick={() => setMaking(true)}>
          {t.new}
        </Button>
      </Group>
      <PagedTable<Organisation>
        path="/auth/organisations"
        keyOf={({ id }) => id}
        empty={t.empty}
        onOpen={setOpen}
        columns={[
          { head: t.name, cell: ({ name }) => name },
          { head: text.people.roles, cell: ({ roles }) => roles.join(", ") || "–" },
          { head: text.people.since, cell: ({ createdAt }) => moment(createdAt, language) },
        ]}
      />
      <Drawer
        opened={open !== null}
        onClose={() => setOpen(null)}
        position="right"
        size="lg"
        title={open?.name}
      >
        {open && <OrganisationDetails organisation={open} />}
      </Drawer>
      <Modal opened={making} onClose={() => setMaking(false)} title={t.new}>
        <form
          onSubmit={async (event: FormEvent<HTMLFormElement>) => {
            event.preventDefault()
            const name = String(new FormData(event.currentTarget).get("name"))
            const options = { done: text.created, changed: [["/auth/organisations"]] }
            if (await run(() => write("POST", "/auth/organisations", { name }), options))
              setMaking(false)
          }}
        >
          <Stack>
            <TextInput label={t.name} name="name" required data-autofocus />
            <Button type="submit" loading={busy}>
              {text.create}
            </Button>
          </Stack>
        </form>
      </Modal>
    </Stack>
  )
}

interface Member {
  readonly id: string
  readonly name: string | null
  readonly roles: readonly string[]
}

interface Invitation {
  readonly id: string
  readonly email: string
  readonly roles: readonly string[]
  readonly expiresAt: string
}

function OrganisationDetails({ organisation }: { organisation: Organisation }) {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const t = text.organisations
  const path = `/auth/organisations/${organisation.id}`
  const [role, setRole] = useState("member")
  return (
    <Stack>
      <Title order={3} size="h4">
        {t.members}
      </Title>
      <PagedTable<Member>
        path={`${path}/members`}
        keyOf={({ id }) => id}
        empty={text.people.empty}
        columns={[
          { head: text.signIn.name, cell: ({ name, id }) => name ?? id },
          {
            head: text.people.roles,
            cell: ({ roles }) =>
              roles.map((one) => (
                <Badge key={one} variant="light" mr={4}>
                  {one}
                </Badge>
              )),
          },
        ]}
      />
      <Title order={3} size="h4">
        {t.invitations}
      </Title>
      <form
        onSubmit={(event: FormEvent<HTMLFormElement>) => {
          event.preventDefault()
          const form = event.currentTarget
          const email = String(new FormData(form).get("email"))
          void run(() => write("POST", `${path}/invitations`, { email, roles: [role] }), {
            done: t.invited,
            changed: [[`${path}/invitations`]],
          }).then((done) => done && form.reset())
        }}
      >
        <Stack gap="xs">
          <Text size="sm">{t.inviteHint}</Text>
          <Group align="flex-end">
            <TextInput
              label={text.signIn.email}
              name="email"
              type="email"
              required
              flex="1 1 14rem"
            />
            {/* A product may have roles beside these. */}
            <Autocomplete
              label={t.role}
              data={["owner", "admin", "member", "guest"]}
              value={role}
              onChange={setRole}
              filter={({ options }) => options}
              required
              w={140}
            />
            <Button type="submit" loading={busy}>
              {t.invite}
            </Button>
          </Group>
        </Stack>
      </form>
      <PagedTable<Invitation>
        path={`${path}/invitations`}
        keyOf={({ id }) => id}
        empty={text.organisations.noInvitations}
        columns={[
          { head: text.signIn.email, cell: ({ email }) => email },
          { head: t.role, cell: ({ roles }) => roles.join(", ") },
          { head: t.expires, cell: ({ expiresAt }) => moment(expiresAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <ActionButton
                label={t.revoke}
                work={() => write("DELETE", `${path}/invitations/${id}`)}
                done={text.deleted}
                changed={[[`${path}/invitations`]]}
              />
            ),
          },
        ]}
      />
    </Stack>
  )
}
