import { Button, Group } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { ActionButton } from "../action-button.tsx"
import { backend, write } from "../backend.ts"
import { moment } from "../dates.ts"
import { PagedTable } from "../paged-table.tsx"
import { useLanguage } from "../text.tsx"
import { useAction } from "../use-action.ts"
import { Section } from "./section.tsx"

interface Identity {
  readonly id: string
  readonly provider: string
  readonly email: string
  readonly createdAt: string
  readonly lastUsedAt: string | null
}

const path = "/auth/identities"

/** Accounts with other services that one can sign in with; nothing where the deployment knows no such service. */
export function Identities() {
  const { text, language } = useLanguage()
  const { busy, run } = useAction()
  const t = text.account
  const { data: providers = [] } = useQuery({
    queryKey: ["providers"],
    queryFn: () => backend.auth.providers(),
  })
  const labels = new Map(providers.map(({ name, label }) => [name, label]))
  const link = async (provider: string) => {
    const body = { provider, returnTo: location.pathname }
    location.assign((await write<{ url: string }>("POST", `${path}/authorizations`, body)).url)
  }
  if (providers.length === 0) return null
  return (
    <Section title={t.identities}>
      <PagedTable<Identity>
        path={path}
        keyOf={({ id }) => id}
        empty={t.noIdentities}
        columns={[
          { head: t.provider, cell: ({ provider }) => labels.get(provider) ?? provider },
          { head: text.signIn.email, cell: ({ email }) => email },
          { head: text.people.lastUsed, cell: ({ lastUsedAt }) => moment(lastUsedAt, language) },
          {
            head: text.actions,
            cell: ({ id }) => (
              <ActionButton
                label={t.unlink}
                work={() => write("DELETE", `${path}/${id}`)}
                done={text.deleted}
                changed={[[path]]}
              />
            ),
          },
        ]}
      />
      <Group gap="sm">
        {providers.map(({ name, label }) => (
          <Button
            key={name}
            variant="default"
            loading={busy}
            onClick={() => void run(() => link(name))}
          >
            {t.link(label)}
          </Button>
        ))}
      </Group>
    </Section>
  )
}
