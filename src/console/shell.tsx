import {
  ActionIcon,
  AppShell,
  Burger,
  Button,
  Group,
  Loader,
  Menu,
  NavLink,
  ScrollArea,
  Text,
  Title,
  useMantineColorScheme,
} from "@mantine/core"
import { useDisclosure } from "@mantine/hooks"
import { useQuery } from "@tanstack/react-query"
import { Suspense, useState } from "react"
import { Link, Route, Switch, useLocation } from "wouter"
import { collectionsQuery } from "./data/collections.ts"
import { ViewerProvider } from "./data/viewer.tsx"
import { Icon } from "./icon.tsx"
import { openPaths, pages } from "./pages.ts"
import { Palette } from "./palette.tsx"
import { Impersonation } from "./people/impersonation.tsx"
import { ErrorBoundary } from "./problem.tsx"
import { useLanguage, useText } from "./text.tsx"
import { isAdministrator, useUser } from "./user.tsx"

/** Where shortcuts are pressed with another key. */
const isApple = /mac|iphone|ipad/i.test(navigator.userAgent)

/** The frame around every page: menu, palette, account. */
export function Shell({ onSignOut }: { onSignOut: () => Promise<void> }) {
  const text = useText()
  const user = useUser()
  const [menu, { toggle, close }] = useDisclosure()
  const [palette, setPalette] = useState(false)
  const [location] = useLocation()
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 250, breakpoint: "md", collapsed: { mobile: !menu } }}
      padding="md"
    >
      <a className="skip" href="#content">
        {text.skip}
      </a>
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger
              opened={menu}
              onClick={toggle}
              hiddenFrom="md"
              size="sm"
              aria-label={text.nav.open}
            />
            <Title order={1} size="h4" component="div">
              {text.product}
            </Title>
          </Group>
          <Button
            variant="default"
            size="xs"
            className="palette-button"
            onClick={() => setPalette(true)}
            leftSection={<Icon name="search" />}
          >
            <span className="only-wide">
              {text.nav.palette}
              <Text span size="xs" c="dimmed" ml="sm" aria-hidden="true">
                {isApple ? "⌘K" : text.nav.shortcut}
              </Text>
            </span>
          </Button>
          <AccountMenu onSignOut={onSignOut} />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={text.nav.label}>
        <AppShell.Section grow component={ScrollArea}>
          <Navigation onChoose={close} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Impersonation />
        {isAdministrator(user) || openPaths.includes(location) ? (
          <ViewerProvider>
            <ErrorBoundary place={location}>
              <Suspense fallback={<Loader role="status" aria-label={text.loading} />}>
                <Pages />
              </Suspense>
            </ErrorBoundary>
          </ViewerProvider>
        ) : (
          <Text>{text.problem.notAllowed}</Text>
        )}
      </AppShell.Main>
      <Palette
        opened={palette}
        onOpen={() => setPalette(true)}
        onClose={() => setPalette(false)}
        onSignOut={onSignOut}
      />
    </AppShell>
  )
}

function Pages() {
  const text = useText()
  return (
    <Switch>
      {pages.map(({ path, component }) => (
        <Route key={path} path={path} component={component} />
      ))}
      <Route>
        <Title order={2} mb="md">
          {text.problem.missing}
        </Title>
        <Button component={Link} href="/">
          {text.problem.home}
        </Button>
      </Route>
    </Switch>
  )
}

function Navigation({ onChoose }: { onChoose: () => void }) {
  const text = useText()
  const [location] = useLocation()
  const administrator = isAdministrator(useUser())
  const { data } = useQuery({ ...collectionsQuery, enabled: administrator })
  const groups = ["overview", "data", "people", "work", "own"] as const
  const titles = {
    overview: null,
    data: text.nav.data,
    people: text.nav.people,
    work: text.nav.work,
    own: text.nav.own,
  }
  const link = (href: string, label: string) => (
    <NavLink
      key={href}
      component={Link}
      href={href}
      label={label}
      active={location === href || (href !== "/" && location.startsWith(`${href}/`))}
      onClick={onChoose}
      py={5}
    />
  )
  return groups.map((group) => {
    const own = pages.filter((page) => page.group === group && page.label)
    if (own.length === 0) return null
    return (
      <div key={group}>
        {titles[group] && (
          <Text size="xs" fw={600} c="dimmed" mt="sm" mb={4} px="sm">
            {titles[group]}
          </Text>
        )}
        {group === "data" && data?.items.map(({ name }) => link(`/data/${name}`, name))}
        {own.map(({ path, label }) => link(path, label?.(text) ?? path))}
      </div>
    )
  })
}

function AccountMenu({ onSignOut }: { onSignOut: () => Promise<void> }) {
  const { text, language, speak } = useLanguage()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const user = useUser()
  return (
    <Menu position="bottom-end" width={240} withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" radius="xl" aria-label={text.nav.account}>
          <Icon name="person" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{user.email}</Menu.Label>
        <Menu.Item component={Link} href="/account">
          {text.nav.account}
        </Menu.Item>
        <Menu.Item component="a" href="/docs">
          {text.nav.reference}
        </Menu.Item>
        <Menu.Label>{text.scheme.label}</Menu.Label>
        {(["light", "dark", "auto"] as const).map((scheme) => (
          <Menu.Item
            key={scheme}
            onClick={() => setColorScheme(scheme)}
            rightSection={colorScheme === scheme ? "✓" : null}
          >
            {text.scheme[scheme]}
          </Menu.Item>
        ))}
        <Menu.Label>{text.language}</Menu.Label>
        {(["en", "de"] as const).map((code) => (
          <Menu.Item
            key={code}
            lang={code}
            onClick={() => void speak(code)}
            rightSection={language === code ? "✓" : null}
          >
            {code === "en" ? "English" : "Deutsch"}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item onClick={() => void onSignOut()}>{text.nav.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
