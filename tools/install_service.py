#!/usr/bin/env python3
"""Puts the service file (systemd user unit or launchd agent) where the system looks for it.

The unit is written with the installed binary's path; nothing is started. `--remove` takes it away.
"""
import argparse
import os
import platform
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", type=Path, required=True, help="where `make install` put bin/photond")
    parser.add_argument("--remove", action="store_true", help="take the service file away")
    args = parser.parse_args()
    binary = args.prefix.expanduser().resolve() / "bin" / "photond"
    home = Path.home()
    if platform.system() == "Darwin":
        template = PROJECT / "launchd" / "photond.plist"
        target = home / "Library" / "LaunchAgents" / "photond.plist"
        start = f"launchctl bootstrap gui/$(id -u) {target}"
        stop = f"launchctl bootout gui/$(id -u) {target}"
    else:
        template = PROJECT / "systemd" / "photond.service"
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        target = config / "systemd" / "user" / "photond.service"
        start = "systemctl --user daemon-reload && systemctl --user enable --now photond"
        stop = "systemctl --user disable --now photond"
    if args.remove:
        target.unlink(missing_ok=True)
        print(f"removed {target}; if it runs, stop it with: {stop}")
        return 0
    log = home / "Library" / "Logs" / "photond.log"
    text = template.read_text().replace("@BIN@", str(binary)).replace("@LOG@", str(log))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    print(f"installed {binary} and {target}")
    print("set `roots` in the settings file (`photond doctor` says where), then start it with:")
    print(f"  {start}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
