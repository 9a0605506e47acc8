import { laboratory } from "./laboratory.ts"

/** Projects, their tasks, and what people say about them: the fixture of the tables. */
export const workshop = () =>
  laboratory(
    {
      people: {
        name: { type: "text", indexed: true },
        email: { type: "text" },
        boss: { one: "people", indexed: true },
        tasks: { many: "tasks", back: "owner" },
      },
      projects: {
        name: { type: "text", indexed: true },
        budget: { type: "number" },
        owner: { one: "people", indexed: true },
        members: { many: "people" },
        tasks: { many: "tasks", back: "project" },
      },
      tasks: {
        title: { type: "text", indexed: true },
        priority: { type: "number", indexed: true },
        done: { type: "boolean", indexed: true },
        dueOn: { type: "date", indexed: true },
        createdAt: { type: "datetime", indexed: true },
        notes: { type: "json" },
        owner: { one: "people", indexed: true },
        project: { one: "projects", indexed: true },
        watchers: { many: "people" },
        comments: { many: "comments", back: "task" },
      },
      comments: {
        task: { one: "tasks", indexed: true },
        author: { one: "people", indexed: true },
        stars: { type: "number", indexed: true },
        body: { type: "text" },
      },
    },
    {
      people: [
        { id: "ann", name: "Ann", email: "ann@a.example", boss: null },
        { id: "bob", name: "bob 😀", email: null, boss: "ann" },
        { id: "spy", name: "Spy", email: null, boss: null, organisation: "rival" },
      ],
      projects: [
        { id: "p1", name: "Alpha", budget: 100, owner: "ann", members: ["ann", "bob"] },
        { id: "p2", name: null, budget: -5.5, owner: "bob", members: [] },
      ],
      tasks: [
        {
          id: "t1",
          title: "Fix the 50% bug",
          priority: 3,
          done: true,
          dueOn: "2026-11-21",
          createdAt: "2026-11-21T00:00:00.000Z",
          notes: { a: 1 },
          owner: "ann",
          project: "p1",
          watchers: ["bob", "spy"],
        },
        {
          id: "t2",
          title: "a_b 😀 É",
          priority: -1,
          done: false,
          dueOn: "2026-11-14",
          createdAt: "2026-11-14T10:30:00.000Z",
          notes: null,
          owner: "bob",
          project: "p2",
          watchers: [],
        },
        {
          id: "t3",
          title: null,
          priority: null,
          done: null,
          dueOn: null,
          createdAt: null,
          notes: null,
          owner: null,
          project: null,
          watchers: ["ann", "bob"],
        },
        { id: "t9", title: "foreign", priority: 3, watchers: [], organisation: "rival" },
      ],
      comments: [
        { id: "c1", task: "t1", author: "ann", stars: 5, body: "good" },
        { id: "c2", task: "t1", author: "bob", stars: 1, body: null },
        { id: "c3", task: "t2", author: "bob", stars: 1, body: "meh" },
        { id: "c4", task: "t3", author: null, stars: 5, body: "stray", organisation: "rival" },
      ],
    },
  )
