// Signs standard input as a sender does: sign.mjs FOLDER SDK SECRET ID SECONDS, where FOLDER holds node_modules.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, sdk, secret, id, seconds] = process.argv.slice(2);
const { Webhook } = createRequire(`${folder}/`)(sdk);
const body = readFileSync(0).toString();
console.log(new Webhook(secret).sign(id, new Date(Number(seconds) * 1000), body));
