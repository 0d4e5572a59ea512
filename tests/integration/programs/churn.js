// Garbage, buffers outside the JavaScript heap, compression, regular expressions, worker threads.
// Argument: rounds.
'use strict';
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');

let state = isMainThread ? 7 : 7 + workerData.seed;
function random(n) {
  state = (Math.imul(state, 1103515245) + 12345) >>> 1;
  return state % n;
}

function tree(depth) {
  return depth === 0 ? null : { left: tree(depth - 1), right: tree(depth - 1), text: 'n' + depth };
}

function round(number) {
  const hash = crypto.createHash('sha256');
  const map = new Map();
  for (let i = 0; i < 20000; i++) {
    const key = random(5000).toString(36);
    map.set(key, (map.get(key) || '') + String.fromCharCode(97 + random(26)));
  }
  hash.update(JSON.stringify([...map].sort()));
  const buffers = [];
  for (let i = 0; i < 400; i++) {
    const buffer = Buffer.alloc(1 + random(60000), i);
    buffers[random(50)] = buffer;
    if (i % 10 === 0) hash.update(zlib.inflateSync(zlib.deflateSync(buffer)));
  }
  const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  const arrays = [];
  for (let i = 0; i < 200; i++) arrays[i % 20] = new Float64Array(1 + random(20000)).fill(i);
  hash.update(String(arrays.reduce((sum, array) => sum + array.length, 0)));
  const text = 'the quick brown fox '.repeat(2000).replace(/(\w)(\w+)/g, '$2$1ay');
  hash.update(text);
  hash.update(JSON.stringify(tree(12)));
  return `${number} ${bytes} ${hash.digest('hex')}`;
}

function rounds(count) {
  const lines = [];
  for (let i = 0; i < count; i++) lines.push(round(i));
  return lines;
}

if (isMainThread) {
  const count = Number(process.argv[2] || 5);
  console.log(rounds(count).join('\n'));
  const workers = [1, 2, 3].map((seed) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { seed, count: Math.ceil(count / 3) } });
    worker.on('message', resolve);
    worker.on('error', reject);
  }));
  Promise.all(workers).then((results) => console.log(results.map((lines) => lines.join('\n')).join('\n')));
} else {
  parentPort.postMessage(rounds(workerData.count));
}
