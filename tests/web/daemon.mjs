// The program itself over an index that is there already, for measuring and looking: a folder that photos can land in,
// and addresses that let a browser in.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @param {string} photond the binary @param {string} data its data directory */
export async function daemon(photond, data) {
  const dir = mkdtempSync(join(tmpdir(), "photond-web-"));
  const watched = join(dir, "photos"), settings = join(dir, "config.toml");
  mkdirSync(watched);
  writeFileSync(settings, "[detect]\ntext = false\n");
  const env = { ...process.env };
  // The socket lies beside the index then.
  delete env.XDG_RUNTIME_DIR;
  const args = ["--data-dir", data, "--config", settings];
  const run = spawn(photond, [...args, "watch", "-q", watched], { env, stdio: ["ignore", "ignore", "inherit"] });
  const enter = () => execFileSync(photond, [...args, "serve"], { env, encoding: "utf8" }).trim().split("\n")[0];
  const status = () => JSON.parse(execFileSync(photond, [...args, "status", "--format", "json"], { env, encoding: "utf8" }));
  for (let tries = 0; ; tries++) {
    try {
      const at = new URL(enter());
      return {
        url: at.origin + "/", enter, status, watched, pid: run.pid,
        close: async () => {
          run.kill();
          await new Promise((ended) => run.once("exit", ended));
          rmSync(dir, { recursive: true, force: true });
        },
      };
    } catch (e) {
      if (tries === 600) throw e;
      await new Promise((later) => setTimeout(later, 250));
    }
  }
}
