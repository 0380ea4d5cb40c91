// Answers prompts with the three local models: node answer.mjs FOLDER, where fetch_models.py put the engine and the weights.
// Reads {"model", "prompt", "max_tokens"} a line on standard input, writes {"text", "input_tokens", "output_tokens",
// "finish_reason", "wall_s", "cpu_s"} a line on standard output, in the same order, one at a time.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import path from "node:path";

const folder = path.resolve(process.argv[2]);
const require = createRequire(path.join(folder, "x.js"));
const { getLlama, LlamaChatSession, ChatMLChatWrapper } = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
const contexts = {};

async function contextOf(name) {
  if (!contexts[name]) {
    const model = await llama.loadModel({ modelPath: path.join(folder, `${name}.gguf`) });
    // One thread: several wait for each other by spinning, which a busy machine does not bear.
    contexts[name] = await model.createContext({ contextSize: 1024, threads: 1 });
  }
  return contexts[name];
}

async function answer({ model, prompt, max_tokens: maxTokens }) {
  const context = await contextOf(model);
  const sequence = context.getSequence();
  try {
    // No system prompt: the same text for all three models, and the tasks say themselves what to answer.
    const session = new LlamaChatSession({ contextSequence: sequence, chatWrapper: new ChatMLChatWrapper(), systemPrompt: "" });
    const before = sequence.tokenMeter.getState();
    const cpu = process.cpuUsage();
    const start = process.hrtime.bigint();
    const result = await session.promptWithMeta(prompt, { maxTokens, temperature: 0 });
    const wall = Number(process.hrtime.bigint() - start) / 1e9;
    const used = process.cpuUsage(cpu);
    const tokens = sequence.tokenMeter.diff(before);
    return {
      text: result.responseText,
      input_tokens: tokens.usedInputTokens,
      output_tokens: tokens.usedOutputTokens,
      finish_reason: result.stopReason === "maxTokens" ? "length" : "stop",
      wall_s: Number(wall.toFixed(3)),
      cpu_s: Number(((used.user + used.system) / 1e6).toFixed(3)),
    };
  } finally {
    sequence.dispose();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}
