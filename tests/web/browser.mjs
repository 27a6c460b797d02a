// A browser for the tests: Debian's chromium, or the one that CHROMIUM names.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const found = PLACES.find((place) => place && existsSync(place));
export const skip = found ? false : "no Chromium here: install Debian's chromium or set CHROMIUM";
export const launch = () => chromium.launch({ executablePath: found, args: ["--no-sandbox"] });
