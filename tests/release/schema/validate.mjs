// What CycloneDX's strict schema of 1.5 says of the file that is named.
import { readFileSync } from "node:fs";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";

const errors = await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(readFileSync(process.argv[2], "utf8"));
if (errors) {
	console.log(JSON.stringify(errors).slice(0, 2000));
	process.exit(1);
}
