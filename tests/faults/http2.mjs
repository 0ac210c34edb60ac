// An HTTP/2 server that breaks a connection or a stream as the path says. Arguments: certificate, key.
import { readFileSync } from "node:fs";
import { constants, createSecureServer } from "node:http2";

const [, , cert, key] = process.argv;
const broken = new Set();
const page = (stream) => {
  stream.respond({ ":status": 200, "content-type": "text/html" });
  stream.end("<!doctype html><title>h2</title><h1>fine</h1>");
};
const reset = (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR);
const answers = {
  "/reset": reset,
  "/reset-midway": (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.write("<!doctype html><h1>fi", () => reset(stream));
  },
  "/goaway": (stream) => {
    stream.session.goaway(constants.NGHTTP2_PROTOCOL_ERROR);
    stream.session.destroy();
  },
  "/reset-once": (stream) => {
    if (broken.has("once")) return page(stream);
    broken.add("once");
    reset(stream);
  },
  // A server that is restarted says so before it closes, and has answered what it took on.
  "/graceful": (stream) => {
    stream.session.goaway(constants.NGHTTP2_NO_ERROR);
    page(stream);
  },
};

const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) });
server.on("sessionError", () => {});
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  (answers[headers[":path"]] ?? page)(stream);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
