// Parses each AsyncAPI document named; prints its errors, and ends with 1 when there are any.
const fs = require("fs");
const path = require("path");
const { Parser, DiagnosticSeverity } = require(path.join(process.cwd(), "node_modules", "@asyncapi", "parser"));

(async () => {
  let errors = 0;
  for (const file of process.argv.slice(2)) {
    const { document, diagnostics } = await new Parser().parse(fs.readFileSync(file, "utf8"));
    for (const { severity, code, path: place, message } of diagnostics) {
      if (severity !== DiagnosticSeverity.Error) continue;
      errors += 1;
      console.log(`${path.basename(file)}: ${place.join("/")}: ${code}: ${message}`);
    }
    if (!document) {
      errors += 1;
      console.log(`${path.basename(file)}: no document`);
    } else {
      console.log(`${path.basename(file)}: ${document.allMessages().length} messages`);
    }
  }
  process.exit(errors ? 1 : 0);
})();
