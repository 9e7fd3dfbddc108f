// Headless Chromium over WebDriver: just what the tests need of it.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

export class Browser {
  static async start() {
    const browser = new Browser();
    browser.files = mkdtempSync(join(tmpdir(), "vestibule-browser-"));
    const program = process.env.VESTIBULE_TEST_CHROMEDRIVER ?? "chromedriver";
    // A group of its own, so that the browser ends with its driver.
    browser.driver = spawn(program, ["--port=0"], {
      detached: true,
      env: { ...process.env, TMPDIR: browser.files },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const port = await new Promise((resolve, reject) => {
      browser.driver.on("error", reject);
      browser.driver.on("exit", () => reject(new Error("chromedriver ended")));
      let told = "";
      browser.driver.stdout.on("data", (text) => {
        told += text;
        const found = told.match(/started successfully on port (\d+)/);
        if (found) resolve(found[1]);
      });
    });
    browser.base = `http://127.0.0.1:${port}`;
    const args = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server", "--no-first-run"];
    // The sandbox refuses to run as root.
    if (process.getuid() === 0) args.push("--no-sandbox");
    const capabilities = { alwaysMatch: { "goog:chromeOptions": { args }, "goog:loggingPrefs": { browser: "ALL" } } };
    const session = await browser.#send("POST", "/session", { capabilities });
    browser.base += `/session/${session.sessionId}`;
    return browser;
  }

  async open(url) {
    await this.#send("POST", "/url", { url: String(url) });
  }

  async url() {
    return this.#send("GET", "/url");
  }

  async text() {
    return this.#script("return document.body.innerText");
  }

  // Waits until the title says this before the product's name.
  async shows(title) {
    let last;
    for (let tries = 0; tries < 100; tries++) {
      last = await this.#send("GET", "/title");
      if (last.split(" · ")[0] === title) return;
      await sleep(100);
    }
    throw new Error(`expected the page ${JSON.stringify(title)}, and there is ${JSON.stringify(last)} at ${await this.url()}: ${await this.text()}`);
  }

  async fill(name, text) {
    const field = await this.#find(`//input[@name='${name}']`);
    await this.#send("POST", `/element/${field}/clear`, {});
    await this.#send("POST", `/element/${field}/value`, { text });
  }

  async click(text) {
    const button = await this.#find(`//*[self::button or self::a][normalize-space()='${text}']`);
    await this.#send("POST", `/element/${button}/click`, {});
  }

  // Everything that the browser complained of, such as breaches of a page's policy.
  async complaints() {
    const log = await this.#send("POST", "/se/log", { type: "browser" });
    return log.filter((line) => line.level === "SEVERE" && !line.message.includes("responded with a status of 4"));
  }

  close() {
    try {
      process.kill(-this.driver.pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
    rmSync(this.files, { recursive: true, force: true, maxRetries: 50 });
  }

  async #find(xpath) {
    const found = await this.#send("POST", "/element", { using: "xpath", value: xpath });
    return found[ELEMENT];
  }

  async #script(script) {
    return this.#send("POST", "/execute/sync", { script, args: [] });
  }

  async #send(method, path, body) {
    const answer = await fetch(this.base + path, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${value.message}`);
    return value;
  }
}
