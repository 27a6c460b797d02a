// What the daemon sends of a module or style: `bare` in src/serve/files.rs, in the page's own language.
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const WEB = process.env.GALLERY ? path.resolve(process.env.GALLERY) : fileURLToPath(new URL("../../web/", import.meta.url));

/** Without comments and indentation. @param {string} written */
export function bare(written) {
  let inComment = false;
  const lines = written.split("\n").map((line) => {
    let rest = line.trim(), code = "";
    if (!inComment && rest.startsWith("//")) return "";
    for (;;) {
      if (inComment) {
        const end = rest.indexOf("*/");
        if (end < 0) break;
        inComment = false;
        rest = rest.slice(end + 2).trimStart();
      }
      const begin = rest.indexOf("/*");
      if (begin < 0) return (code + rest).trimEnd();
      code += rest.slice(0, begin);
      inComment = true;
      rest = rest.slice(begin + 2);
    }
    return code.trimEnd();
  });
  return lines.filter(Boolean).map((line) => line + "\n").join("");
}

/** A file as it is sent. @param {string} name */
export async function sent(name) {
  const bytes = await readFile(path.join(WEB, name));
  return /\.(js|css)$/.test(name) ? Buffer.from(bare(bytes.toString())) : bytes;
}

export const modules = async () => (await readdir(WEB)).filter((name) => name.endsWith(".js"));
