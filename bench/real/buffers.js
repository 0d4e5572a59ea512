// Buffers, JSON and compression in node: what its own heap does not hold. Stands for web services.
'use strict';
const zlib = require('zlib');
const crypto = require('crypto');

const scale = Number(process.argv[2]);
let state = 99;
function random(limit) {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return (state >> 8) % limit;
}

const live = new Array(400);
const digest = crypto.createHash('sha256');
for (let number = 0; number < Math.max(1, 60000 * scale / 100); number++) {
  const buffer = Buffer.alloc(64 + random(number % 16 === 0 ? 262144 : 8192), number & 255);
  live[random(live.length)] = buffer;
  if (number % 8 === 0) {
    const body = JSON.stringify({ number, list: Array.from({ length: 40 }, () => random(1000)) });
    const packed = zlib.deflateSync(body.repeat(8));
    digest.update(JSON.stringify(JSON.parse(zlib.inflateSync(packed).toString().slice(0, body.length))));
  }
  if (number % 64 === 0) digest.update(Buffer.concat(live.filter(Boolean).slice(0, 8)));
}
console.log('check', digest.digest('hex'));
