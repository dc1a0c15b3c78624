// A web server on a named pipe, for Node.js for Windows, whose pipes are libuv's:
//
//   node.exe http_pipe_server.js \\.\pipe\NAME [SECONDS]
//
// GET /_ping gives a line that names the server, GET /bytes/COUNT/SEED so many bytes of test/lib/bytestream.py's
// stream, POST /hash the length and the SHA-256 of the body. Prints "listening" when it can be asked. Ends with
// status 1 if it can't listen, and by itself after SECONDS (default 300).
'use strict';
const crypto = require('crypto');
const http = require('http');
const os = require('os');

const [path, seconds = '300'] = process.argv.slice(2);

// bytestream.py tells what this is.
function table(seed) {
  const mask = (1n << 64n) - 1n;
  const bytes = Buffer.alloc(65536);
  let state = BigInt(seed);
  for (let at = 0; at < bytes.length; at += 8) {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    bytes.writeBigUInt64LE(z ^ (z >> 31n), at);
  }
  return bytes;
}

function block(random, number) {
  const bytes = Buffer.alloc(4099);
  bytes.writeBigUInt64LE(BigInt(number));
  const start = (number * 977) % 61441;
  random.copy(bytes, 8, start, start + 4091);
  return bytes;
}

function sendBytes(response, count, seed) {
  const random = table(seed);
  let number = 0;
  let left = count;
  response.writeHead(200, { 'Content-Length': count, 'Content-Type': 'application/octet-stream' });
  const more = () => {
    while (left > 0) {
      const blocks = [];
      for (let i = 0; i < 16; i++) {
        blocks.push(block(random, number++));
      }
      const piece = Buffer.concat(blocks).subarray(0, left);
      left -= piece.length;
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

function sendHash(request, response) {
  const hash = crypto.createHash('sha256');
  let length = 0;
  request.on('data', (piece) => {
    hash.update(piece);
    length += piece.length;
  });
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ length, sha256: hash.digest('hex') }) + '\n');
  });
}

const server = http.createServer((request, response) => {
  const bytes = /^\/bytes\/(\d+)\/(\d+)$/.exec(request.url);
  if (request.method === 'GET' && request.url === '/_ping') {
    response.end(`Node.js ${process.version} for ${os.type()} answers on ${path}\n`);
  } else if (request.method === 'GET' && bytes) {
    sendBytes(response, Number(bytes[1]), Number(bytes[2]));
  } else if (request.method === 'POST' && request.url === '/hash') {
    sendHash(request, response);
  } else {
    response.statusCode = 404;
    response.end(`there is nothing at ${request.method} ${request.url}\n`);
  }
});
server.keepAliveTimeout = 1000; // connections that their clients left end soon
server.on('error', (error) => {
  console.error(`http_pipe_server.js: can't listen on ${path}: ${error.message}`);
  process.exit(1);
});
server.listen(path, () => console.log('listening'));
setTimeout(() => process.exit(1), Number(seconds) * 1000);
