// openid-client against a running server, with the pages in a browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import * as oidc from "openid-client";

import { Browser } from "./browser.mjs";

const { issuer, callback, email, password, key, web, app, robot, signer, tv } = JSON.parse(
  readFileSync(process.env.VESTIBULE_CLIENTS, "utf8"),
);
let browser;
let steps = 0;

async function step(name, run) {
  try {
    await run();
    console.log(`ok ${++steps} - ${name}`);
  } catch (error) {
    console.log(`not ok ${++steps} - ${name}`);
    throw error;
  }
}

const discover = async (client, authentication) => {
  const options = { execute: [oidc.allowInsecureRequests] };
  const config = await oidc.discovery(new URL(issuer), client.client_id, undefined, authentication, options);
  // Signatures are looked at too, although the answer comes straight from the server.
  oidc.enableNonRepudiationChecks(config);
  return config;
};

// Where the browser comes back to.
const back = [];
const application = createServer((request, response) => {
  if (request.url.startsWith("/callback")) back.push(new URL(request.url, callback));
  response.setHeader("content-type", "text/html").end("<title>Back</title>Back at the application");
});
await new Promise((resolve) => application.listen(new URL(callback).port, "127.0.0.1", resolve));

// Sends the browser to the server and through its pages, and gives what it comes back with.
async function authorize(url, pages) {
  back.length = 0;
  await browser.open(url);
  await pages();
  await browser.shows("Back");
  assert.equal(back.length, 1);
  return back[0];
}

async function logIn() {
  await browser.shows("Log in");
  await browser.fill("email", email);
  await browser.fill("password", password);
  await browser.click("Log in");
}

async function allow(name) {
  await browser.shows(`Allow ${name}?`);
  await browser.click("Allow");
}

async function codeFlow(config, scope, pages, { build = oidc.buildAuthorizationUrl, more = {} } = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = await build(config, {
    redirect_uri: callback,
    scope,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  });
  const returned = await authorize(url, pages);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  return oidc.authorizationCodeGrant(config, returned, checks);
}

try {
  browser = await Browser.start();
  const webConfig = await discover(web, oidc.ClientSecretBasic(web.client_secret));
  let tokens;

  await step("discovery", () => {
    const server = webConfig.serverMetadata();
    assert.equal(server.issuer, issuer);
    assert.ok(server.supportsPKCE("S256"));
    for (const endpoint of ["authorization", "token", "userinfo", "revocation", "introspection", "device_authorization", "end_session"]) {
      assert.ok(server[`${endpoint}_endpoint`].startsWith(issuer), endpoint);
    }
  });

  await step("a code with PKCE, through the login and consent pages", async () => {
    tokens = await codeFlow(webConfig, "openid profile email offline_access", async () => {
      await browser.shows("Log in");
      assert.match(await browser.text(), /Photo Printer/);
      await browser.fill("email", email);
      await browser.fill("password", "not the password");
      await browser.click("Log in");
      await browser.shows("Error: Log in");
      await browser.fill("email", email);
      await browser.fill("password", password);
      await browser.click("Log in");
      await allow("Photo Printer");
    });
    assert.equal(tokens.claims().aud, web.client_id);
    assert.ok(tokens.refresh_token && tokens.expiresIn() > 0);
    assert.deepEqual(await browser.complaints(), []);
  });

  await step("userinfo", async () => {
    const user = await oidc.fetchUserInfo(webConfig, tokens.access_token, tokens.claims().sub);
    assert.deepEqual([user.email, user.email_verified, user.name], [email, user.email_verified, "Ada Lovelace"]);
  });

  await step("a refresh", async () => {
    const before = tokens;
    tokens = await oidc.refreshTokenGrant(webConfig, before.refresh_token);
    assert.notEqual(tokens.access_token, before.access_token);
    assert.notEqual(tokens.refresh_token, before.refresh_token);
  });

  await step("a second code without pages, by a pushed request", async () => {
    const none = { build: oidc.buildAuthorizationUrlWithPAR, more: { prompt: "none" } };
    const second = await codeFlow(webConfig, "openid email", async () => {}, none);
    assert.ok(second.claims().sub);
  });

  await step("a login again, because it is asked for", async () => {
    const started = Math.floor(Date.now() / 1000);
    const again = await codeFlow(webConfig, "openid email", logIn, { more: { prompt: "login", max_age: 0 } });
    assert.ok(again.claims().auth_time >= started - 1);
  });

  await step("introspection and revocation", async () => {
    const about = await oidc.tokenIntrospection(webConfig, tokens.access_token);
    assert.deepEqual([about.active, about.client_id, about.iss], [true, web.client_id, issuer]);
    await oidc.tokenRevocation(webConfig, tokens.refresh_token);
    assert.equal((await oidc.tokenIntrospection(webConfig, tokens.access_token)).active, false);
    await assert.rejects(oidc.refreshTokenGrant(webConfig, tokens.refresh_token), { error: "invalid_grant" });
  });

  await step("a public client", async () => {
    const config = await discover(app, oidc.None());
    const own = await codeFlow(config, "openid email offline_access", () => allow("Phone App"));
    const fresh = await oidc.refreshTokenGrant(config, own.refresh_token);
    await oidc.tokenRevocation(config, fresh.access_token);
  });

  await step("a user who says no", async () => {
    const config = await discover(app, oidc.None());
    const denied = codeFlow(config, "openid email", async () => {
      await browser.shows("Allow Phone App?");
      await browser.click("Deny");
    }, { more: { prompt: "consent" } });
    await assert.rejects(denied, { error: "access_denied" });
  });

  await step("client credentials, with a secret in the header and in the body", async () => {
    for (const authentication of [oidc.ClientSecretBasic, oidc.ClientSecretPost]) {
      const config = await discover(robot, authentication(robot.client_secret));
      const own = await oidc.clientCredentialsGrant(config, { scope: "users:read" });
      assert.deepEqual([own.scope ?? "users:read", own.refresh_token], ["users:read", undefined]);
    }
    const wrong = await discover(robot, oidc.ClientSecretBasic("wrong"));
    await assert.rejects(oidc.clientCredentialsGrant(wrong), (error) => error.status === 401 || error.error === "invalid_client");
  });

  await step("client credentials, with a signature", async () => {
    const { alg, ...jwk } = JSON.parse(readFileSync(key, "utf8"));
    assert.equal(alg, "ES256");
    const imported = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    const config = await discover(signer, oidc.PrivateKeyJwt({ key: imported, kid: jwk.kid }));
    assert.ok((await oidc.clientCredentialsGrant(config)).access_token);
  });

  await step("a device", async () => {
    const config = await discover(tv, oidc.None());
    const device = await oidc.initiateDeviceAuthorization(config, { scope: "openid email offline_access" });
    await browser.open(device.verification_uri);
    await browser.shows("Connect a device");
    await browser.fill("user_code", device.user_code.toLowerCase());
    await browser.click("Continue");
    await browser.shows("Allow Television?");
    assert.ok((await browser.text()).includes(device.user_code));
    await browser.click("Allow");
    const own = await oidc.pollDeviceAuthorizationGrant(config, device);
    assert.ok(own.claims().sub && own.refresh_token);
  });

  await step("logout, and back to the application", async () => {
    const own = await codeFlow(webConfig, "openid", async () => {});
    const url = oidc.buildEndSessionUrl(webConfig, { id_token_hint: own.id_token, post_logout_redirect_uri: callback, state: "bye" });
    const returned = await authorize(url, async () => {});
    assert.equal(returned.searchParams.get("state"), "bye");
    await browser.open(oidc.buildAuthorizationUrl(webConfig, { redirect_uri: callback, scope: "openid", code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256" }));
    await browser.shows("Log in");
    assert.deepEqual(await browser.complaints(), []);
  });
} finally {
  browser?.close();
  application.close();
}
console.log(`1..${steps}`);
