import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // What `npm run coverage` reads and shows. Files that no test loads count, too.
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts'],
      exclude: ['**/*.test.ts', 'packages/testing/**'],
      reporter: ['json-summary', 'html'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'test/unit/**/*.test.ts'],
          // Modules keep no state that a test could leave behind; loading them once a worker saves two thirds of the
          // time.
          isolate: false,
          // Nothing here takes long, except on a machine that is busy with something else.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Each file owns a cluster, which mostly waits for something: two cores carry three of them.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
