import { Alert, Button, Code, CopyButton, Group, Text } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { ActionButton } from "../action-button.tsx"
import { read, write } from "../backend.ts"
import { useText } from "../text.tsx"
import { Section } from "./section.tsx"

export const recoveryPath = "/auth/recovery-codes"

/** How many are left, and new ones; those that were just made, the only time that they are shown. */
export function RecoveryCodes(props: {
  codes: readonly string[] | null
  onCodes: (codes: readonly string[] | null) => void
}) {
  const text = useText()
  const t = text.account
  const { data } = useQuery({
    queryKey: [recoveryPath],
    queryFn: () => read<{ remaining: number }>(recoveryPath),
  })
  const replace = async () => {
    const { codes } = await write<{ codes: string[] }>("POST", recoveryPath)
    props.onCodes(codes)
  }
  if (!props.codes && !data?.remaining) return null
  return (
    <Section title={t.recoveryCodes} hint={t.recoveryCodesHint}>
      <Group>
        <Text size="sm">{t.recoveryLeft(data?.remaining ?? 0)}</Text>
        <ActionButton label={t.newCodes} work={replace} changed={[[recoveryPath]]} />
      </Group>
      {props.codes && (
        <Alert
          color="orange"
          title={t.recoveryHint}
          withCloseButton
          onClose={() => props.onCodes(null)}
        >
          <Code block>{props.codes.join("\n")}</Code>
          <CopyButton value={props.codes.join("\n")}>
            {({ copied, copy }) => (
              <Button size="xs" mt="xs" onClick={copy}>
                {copied ? text.copied : text.copy}
              </Button>
            )}
          </CopyButton>
        </Alert>
      )}
    </Section>
  )
}
