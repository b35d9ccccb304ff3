// Makes a container in Azurite, which has no command for it: `node azurite-container.js PORT NAME`. Signed with the account and
// the key that every Azurite has (https://learn.microsoft.com/azure/storage/common/storage-use-azurite).
const { createHmac } = require("node:crypto");
const { request } = require("node:http");

const [port, container] = process.argv.slice(-2);
const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const date = new Date().toUTCString();
const version = "2021-12-02";
const headers = `x-ms-date:${date}\nx-ms-version:${version}`;
const resource = `/${account}/${account}/${container}\nrestype:container`;
const signature = createHmac("sha256", Buffer.from(key, "base64"))
  .update(`PUT${"\n".repeat(12)}${headers}\n${resource}`, "utf8")
  .digest("base64");
const made = request(
  {
    host: "127.0.0.1",
    port,
    method: "PUT",
    path: `/${account}/${container}?restype=container`,
    headers: {
      "x-ms-date": date,
      "x-ms-version": version,
      "content-length": 0,
      authorization: `SharedKey ${account}:${signature}`,
    },
  },
  (answer) => {
    answer.pipe(process.stderr);
    // 409: it is there.
    answer.on("end", () => process.exit([201, 409].includes(answer.statusCode) ? 0 : 1));
  },
);
made.on("error", (error) => {
  console.error(String(error));
  process.exit(1);
});
made.end();
