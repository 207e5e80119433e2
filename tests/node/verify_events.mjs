// Lets the Standard Webhooks library verify calls that a receiver has kept.
//
// Reads one JSON list from standard input: [{ what, secret, headers, body }],
// the body in base64, and prints one JSON list of true, false.

import { Webhook, WebhookVerificationError } from "standardwebhooks";

let text = "";
for await (const piece of process.stdin) text += piece;
const verdicts = JSON.parse(text).map(({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64").toString("utf8"), headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
});
console.log(JSON.stringify(verdicts));
