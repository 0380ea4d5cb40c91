// An OpenAI-compatible server on loopback over one small real model: node small_model_server.mjs NODE_MODULES GGUF
// Prints its port once it listens. One request at a time, streams and plain answers, real token counts.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [modules, file] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), "x.js"));
const { getLlama, LlamaChatSession } = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });
const model = await llama.loadModel({ modelPath: path.resolve(file) });
// One thread: several wait for each other by spinning, which a busy machine does not bear.
const context = await model.createContext({ contextSize: 2048, threads: 1 });
let turn = Promise.resolve();

async function answer(body, onPiece) {
  const sequence = context.getSequence();
  try {
    const session = new LlamaChatSession({ contextSequence: sequence });
    const prompt = body.messages.map((message) => (typeof message.content === "string" ? message.content : message.content.map((part) => part.text).join(""))).join("\n");
    const maxTokens = body.max_tokens ?? body.max_completion_tokens ?? 64;
    const result = await session.promptWithMeta(prompt, { maxTokens, temperature: 0, onTextChunk: onPiece });
    const output = model.tokenize(result.responseText).length;
    const input = model.tokenize(prompt).length;
    const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
    return { text: result.responseText, usage, finish: result.stopReason === "maxTokens" ? "length" : "stop" };
  } finally {
    sequence.dispose();
  }
}

function event(delta, finish, usage) {
  const choices = usage ? [] : [{ index: 0, delta, finish_reason: finish }];
  return `data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: "smollm2", choices, usage: usage ?? null })}\n\n`;
}

async function complete(request, response) {
  let text = "";
  for await (const chunk of request) text += chunk;
  const body = JSON.parse(text);
  if (body.stream) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const { finish, usage } = await answer(body, (piece) => response.write(event({ role: "assistant", content: piece }, null)));
    response.end(event({}, finish) + event(null, null, usage) + "data: [DONE]\n\n");
    return;
  }
  const { text: content, usage, finish } = await answer(body);
  const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: finish }];
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ id: "x", object: "chat.completion", created: 1, model: "smollm2", choices, usage }));
}

const server = createServer((request, response) => {
  if (request.url.endsWith("/models")) {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", data: [{ id: "smollm2", object: "model" }] }));
    return;
  }
  turn = turn.then(() => complete(request, response)).catch((error) => response.destroy(error));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
