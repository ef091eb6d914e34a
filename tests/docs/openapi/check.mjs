// Checks each OpenAPI document named by redocly's recommended rules; prints what they find, and ends with 1 on an error.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const installed = createRequire(path.join(process.cwd(), "package.json")).resolve("@redocly/openapi-core");
const { createConfig, lintFromString } = await import(pathToFileURL(installed));

const config = await createConfig({ extends: ["recommended"] });
let errors = 0;
for (const file of process.argv.slice(2)) {
  const found = await lintFromString({ source: fs.readFileSync(file, "utf8"), absoluteRef: file, config });
  for (const { severity, ruleId, location, message } of found) {
    if (severity === "error") errors += 1;
    console.log(`${path.basename(file)}: ${severity}: ${location[0].pointer}: ${ruleId}: ${message}`);
  }
  console.log(`${path.basename(file)}: checked`);
}
process.exit(errors ? 1 : 0);
