// Makes the key pair of a client that signs: key.json for the client, jwks.json for the server.
import { writeFileSync } from "node:fs";

const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const exported = async (key) => ({ ...(await crypto.subtle.exportKey("jwk", key)), kid: "test", alg: "ES256", use: "sig", key_ops: undefined, ext: undefined });
const folder = process.argv[2];
writeFileSync(`${folder}/key.json`, JSON.stringify(await exported(privateKey)), { mode: 0o600 });
writeFileSync(`${folder}/jwks.json`, JSON.stringify({ keys: [await exported(publicKey)] }));
