// Calls the npm package that is installed beside it: the same lines in and out as drive_python.py, names in Python's spelling.
const { readFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const { createRequire } = require('node:module');

const installed = createRequire(`${process.cwd()}/`);
const sdk = installed('@acontext/acontext');
let client;

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const options = (kwargs) => Object.fromEntries(Object.entries(kwargs).map(([name, value]) => [camel(name), value]));

// What TypeScript calls private is an ordinary method in JavaScript.
const hidden = readFileSync(installed.resolve('@acontext/acontext').replace(/index\.js$/, 'client.d.ts'), 'utf8')
  .match(/private \w+/g)
  .map((found) => found.slice('private '.length));

function* methods(owner, prefix, seen = new Set()) {
  seen.add(owner);
  const prototype = Object.getPrototypeOf(owner);
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (typeof value === 'function' && name !== 'constructor' && !hidden.includes(name)) yield prefix + snake(name);
  }
  for (const [name, inner] of Object.entries(owner)) {
    const isResource = typeof inner === 'object' && inner?.constructor.name.endsWith('API');
    if (isResource && !seen.has(inner)) yield* methods(inner, `${prefix}${name}.`, seen);
  }
}

function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== 'object') return value;
  if ('$upload' in value) {
    const [filename, content, contentType] = value.$upload;
    const body = Buffer.from(content, 'base64');
    return contentType ? new sdk.FileUpload({ filename, content: body, contentType }) : [filename, body];
  }
  if ('$message' in value) return sdk.buildAcontextMessage(value.$message);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decoded(inner)]));
}

async function answer(name, args, kwargs) {
  if (name === 'methods') {
    const tools = [...sdk.DISK_TOOLS.tools.keys()].map((tool) => `DISK_TOOLS.${tool}`);
    return [...methods(client, ''), ...tools].sort();
  }
  if (name.startsWith('DISK_TOOLS.')) {
    return sdk.DISK_TOOLS.executeTool(sdk.DISK_TOOLS.formatContext(client, args[0]), name.split('.')[1], args[1]);
  }
  const path = name.split('.').map(camel);
  const method = path.pop();
  const owner = path.reduce((found, step) => found[step], client);
  const { blob, ...others } = kwargs;
  const positional = blob === undefined ? args : [...args, blob];
  if (name === 'tools.rename_tool_name') others.rename = others.rename.map(options);
  return owner[method](...positional, ...(Object.keys(others).length > 0 ? [options(others)] : []));
}

async function said({ key, name, args, kwargs }) {
  client ??= new sdk.AcontextClient({ apiKey: key });
  try {
    return { value: (await answer(name, decoded(args), decoded(kwargs))) ?? null };
  } catch (error) {
    const { statusCode: status, code, error: refusal } = error;
    return { error: { type: error.constructor.name, status, code, message: error.message, name: refusal } };
  }
}

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

(async () => {
  say('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    say(await said(JSON.parse(line)));
  }
})();
