// A client of a web server behind a named pipe, for Node.js for Windows, whose pipes are libuv's:
//
//   node.exe http_pipe_client.js \\.\pipe\NAME REQUEST...
//
// All requests run at the same time, each in a connection of its own. REQUEST is /PATH, which is got, or /PATH=COUNT,
// to which so many bytes are posted: byte i is i * 7 % 251. For each, when it is answered, a line of JSON: its path,
// the status, the answer's length and SHA-256, and how it began. Ends with status 1 if one fails, and by itself after
// 120 s.
'use strict';
const crypto = require('crypto');
const http = require('http');

const [socketPath, ...requests] = process.argv.slice(2);

function body(count) {
  const bytes = Buffer.alloc(count);
  for (let i = 0; i < count; i++) {
    bytes[i] = (i * 7) % 251;
  }
  return bytes;
}

for (const text of requests) {
  const [path, count] = text.split('=');
  const options = { socketPath, path, method: count ? 'POST' : 'GET', agent: false };
  const request = http.request(options, (response) => {
    const hash = crypto.createHash('sha256');
    let length = 0;
    let start = '';
    response.on('data', (piece) => {
      hash.update(piece);
      length += piece.length;
      start = (start + piece.toString('latin1')).slice(0, 200);
    });
    response.on('end', () => {
      const { statusCode: status, complete } = response;
      console.log(JSON.stringify({ path, status, complete, length, sha256: hash.digest('hex'), start }));
    });
  });
  request.on('error', (error) => {
    console.error(`http_pipe_client.js: ${path}: ${error.message}`);
    process.exit(1);
  });
  request.end(count ? body(Number(count)) : undefined);
}
setTimeout(() => process.exit(1), 120000).unref();
