// What a GUI agent does with the official Node client; started by clients.py.
// Arguments: base URL, screenshot file. The token is in EYEHAND_TOKEN.
import fs from "node:fs";
import OpenAI from "openai";

const [baseURL, file] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: process.env.EYEHAND_TOKEN, maxRetries: 0 });
const url = "data:image/png;base64," + fs.readFileSync(file).toString("base64");
const content = [
  { type: "text", text: "press the OK button" },
  { type: "image_url", image_url: { url } },
];
const messages = [{ role: "user", content }];
const done = {};

const [model] = (await client.models.list()).data.map((each) => each.id);
done.chat = (await client.chat.completions.create({ model, messages })).choices[0].message.content;

done.stream = "";
for await (const part of await client.chat.completions.create({ model, messages, stream: true })) {
  done.stream += part.choices[0]?.delta?.content ?? "";
}

const input = [{ role: "user", content: [
  { type: "input_text", text: "press the OK button" },
  { type: "input_image", image_url: url, detail: "high" },
] }];
done.responses = (await client.responses.create({ model, input })).output_text;

try {
  const denied = new OpenAI({ baseURL, apiKey: "x".repeat(43), maxRetries: 0 });
  await denied.models.list();
} catch (error) {
  done.refused = error instanceof OpenAI.AuthenticationError;
}
console.log(JSON.stringify(done));
