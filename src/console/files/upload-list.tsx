import { Alert, Button, CloseButton, Group, Progress, Stack, Text } from "@mantine/core"
import { ApiProblem } from "../../client/problem.ts"
import { bytes } from "../dates.ts"
import { wordsFor } from "../problem.tsx"
import { useLanguage } from "../text.tsx"
import type { Limits } from "./file.ts"
import type { Upload } from "./use-uploads.ts"

/** Files on their way, each with how far it is, and why others did not come. */
export function UploadList({ uploads, limits }: { uploads: readonly Upload[]; limits: Limits }) {
  const { text } = useLanguage()
  const t = text.files
  return uploads.map((upload) =>
    upload.error === null ? (
      <Group key={upload.key} gap="sm" wrap="nowrap">
        <Stack gap={4} flex={1} miw={0}>
          <Text size="sm" className="cut">
            {upload.name}
          </Text>
          <Progress.Root size="sm">
            <Progress.Section value={upload.share * 100} aria-label={t.uploading(upload.name)} />
          </Progress.Root>
        </Stack>
        <Text size="xs" className="numbers" aria-hidden="true">
          {Math.floor(upload.share * 100)} %
        </Text>
        <Button
          size="compact-xs"
          variant="default"
          aria-label={t.stop(upload.name)}
          onClick={upload.cancel}
        >
          {text.cancel}
        </Button>
      </Group>
    ) : (
      <Alert key={upload.key} color="red" role="alert" py="xs">
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {upload.name}: <Reason error={upload.error} limits={limits} />
          </Text>
          <CloseButton aria-label={text.close} onClick={upload.cancel} />
        </Group>
      </Alert>
    ),
  )
}

function Reason({ error, limits }: { error: unknown; limits: Limits }) {
  const { text, language } = useLanguage()
  const t = text.files
  if (error === "size") return t.tooBig(bytes(limits.maxBytes ?? 0, language))
  if (error === "type") return t.wrongType((limits.types ?? []).join(", "))
  if (error instanceof ApiProblem) {
    const words = { payload_too_large: t.tooLarge, quota_exceeded: t.full } as const
    const known = words[error.code as keyof typeof words]
    return [known ?? error.detail, ...error.errors.map(({ message }) => message)].join(" ")
  }
  return wordsFor(error, text.problem.unexpected)
}
