import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The end-to-end files are chapters of one story: `01-…`, `02-…`. */
class InOrder extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.sort((one, other) => one.moduleId.localeCompare(other.moduleId)));
  }
}

/** Four machines, of which some are lost: by themselves, as `npm run test:masters`. */
const masters = ["13-several-masters", "15-masters-of-a-file", "17-endpoint-of-masters"].map(chapter);
/** Three machines, and four, and a Kubernetes of another version: by themselves, as `npm run test:upgrade`. */
const upgrade = ["14-upgrade", "16-upgrade-of-masters"].map(chapter);

function chapter(name: string): string {
  return `test/e2e/${name}.test.ts`;
}

const endToEnd = { globalSetup: ["test/e2e/support/setup.ts"], testTimeout: 300_000, hookTimeout: 600_000 };

export default defineConfig({
  test: {
    fileParallelism: true,
    sequence: { sequencer: InOrder },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/integration/**", "test/e2e/**", "test/vm/**"],
          // A busy machine is no failure: some cases make hundreds of plans or keys.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      { test: { ...endToEnd, name: "e2e", include: ["test/e2e/**/*.test.ts"], exclude: [...masters, ...upgrade] } },
      { test: { ...endToEnd, name: "masters", include: masters } },
      { test: { ...endToEnd, name: "upgrade", include: upgrade } },
      { test: { name: "vm", include: ["test/vm/**/*.test.ts"] } },
    ],
  },
});
