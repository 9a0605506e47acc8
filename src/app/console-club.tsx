import { Stack, Text, Title } from "@mantine/core"
import { useQuery } from "@tanstack/react-query"
import { type Page, pathWith, read } from "../console/backend.ts"
import { moment } from "../console/dates.ts"
import { useLanguage } from "../console/text.tsx"

interface Review {
  readonly id: string
  readonly stars: number
  readonly createdAt: string
  readonly expanded: { readonly film?: { readonly title: string } | null }
}

/** What the club thought of what it saw in the last 30 days. */
export default function Club() {
  const { language } = useLanguage()
  const { data } = useQuery({
    queryKey: ["records", "reviews", "month"],
    queryFn: () =>
      read<Page<Review>>(
        pathWith("/records/reviews", {
          filter: "createdAt > @now - 30d",
          sort: "-createdAt",
          expand: "film",
          limit: 50,
        }),
      ),
  })
  const german = language === "de"
  return (
    <Stack>
      <Title order={2}>{german ? "Der Monat des Klubs" : "The club's month"}</Title>
      {data?.items.length === 0 && (
        <Text c="dimmed">{german ? "Noch keine Kritiken." : "No reviews yet."}</Text>
      )}
      {data?.items.map(({ id, stars, createdAt, expanded }) => (
        <Text key={id} size="sm">
          {"★".repeat(stars)} {expanded.film?.title} · {moment(createdAt, language)}
        </Text>
      ))}
    </Stack>
  )
}
