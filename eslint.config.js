import tseslint from "typescript-eslint";

/** The folders of src/ from top to bottom (docs/architecture.md, "Rooms"): imports point down only. */
const rooms = [
  "commands",
  "deploy",
  "apply",
  "plan",
  "preflight",
  "network",
  "addons",
  "image",
  "host",
  "config",
  "api",
  "pki",
  "kubernetes",
  "docker",
  "report",
  "model",
];

const roomRules = rooms.map((room, index) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        paths: [{ name: "zod", message: "src/model/zod.ts has it, with settings." }],
        patterns: [
          {
            group: ["**/main.js", "**/program.js", ...rooms.slice(0, index).map((above) => `**/${above}/*`)],
            message: `src/${room}/ imports only from the rooms below it: ${rooms.slice(index + 1).join(", ") || "none"}.`,
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ["dist", "node_modules", "coverage"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "no-restricted-properties": [
        "error",
        { object: "AbortSignal", property: "any", message: "It may never abort: src/model/signals.ts." },
      ],
      "max-len": ["error", { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreUrls: true }],
    },
  },
  ...roomRules,
  { files: ["**/*.js", "**/*.mjs"], ...tseslint.configs.disableTypeChecked },
);
