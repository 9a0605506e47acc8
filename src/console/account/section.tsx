import { Paper, Stack, Text, Title } from "@mantine/core"
import type { ReactNode } from "react"

/** A part of the account page: what it is about, and what can be done. */
export function Section(props: { title: string; hint?: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section">
      <Stack gap="md" align="stretch">
        <div>
          <Title order={3} size="h4">
            {props.title}
          </Title>
          {props.hint && (
            <Text size="sm" c="dimmed">
              {props.hint}
            </Text>
          )}
        </div>
        {props.children}
      </Stack>
    </Paper>
  )
}
