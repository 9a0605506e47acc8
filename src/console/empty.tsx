import { Stack, Text } from "@mantine/core"
import type { ReactNode } from "react"

/** In the place of a list without anything in it: why, and what can be done. */
export function Empty({ words, children }: { words: string; children?: ReactNode }) {
  return (
    <Stack className="empty" align="center" gap="xs">
      <Text size="sm" c="dimmed" ta="center" maw={420}>
        {words}
      </Text>
      {children}
    </Stack>
  )
}
