//! Whether the machine runs on its battery.

use std::path::Path;

/// Where Linux lists what the machine is fed by.
const SUPPLIES: &str = "/sys/class/power_supply";

/// True if there is a battery, it is being used up, and nothing else feeds the machine. Unknown is no.
pub(super) fn on_battery() -> bool {
    if cfg!(target_os = "macos") {
        let asked = std::process::Command::new("pmset")
            .args(["-g", "batt"])
            .output();
        return asked
            .is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("'Battery Power'"));
    }
    reads_battery(Path::new(SUPPLIES))
}

fn reads_battery(supplies: &Path) -> bool {
    let (mut discharging, mut fed) = (false, false);
    for supply in std::fs::read_dir(supplies).into_iter().flatten().flatten() {
        let read = |name: &str| {
            let text = std::fs::read_to_string(supply.path().join(name));
            text.map(|t| t.trim().to_owned()).unwrap_or_default()
        };
        // A mouse has a battery too, of its own.
        if read("scope") == "Device" {
            continue;
        }
        match read("type").as_str() {
            "Battery" => discharging |= read("status") == "Discharging",
            "Mains" | "USB" => fed |= read("online") == "1",
            _ => {}
        }
    }
    discharging && !fed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_and_what_is_plugged_into_it() {
        let t = tempfile::tempdir().unwrap();
        assert!(!reads_battery(t.path()), "a desktop");
        let put = |supply: &str, files: &[(&str, &str)]| {
            let dir = t.path().join(supply);
            std::fs::create_dir_all(&dir).unwrap();
            for (name, text) in files {
                std::fs::write(dir.join(name), format!("{text}\n")).unwrap();
            }
        };
        put(
            "mouse",
            &[
                ("type", "Battery"),
                ("scope", "Device"),
                ("status", "Discharging"),
            ],
        );
        put("AC", &[("type", "Mains"), ("online", "1")]);
        put("BAT0", &[("type", "Battery"), ("status", "Charging")]);
        assert!(!reads_battery(t.path()));
        put("AC", &[("online", "0")]);
        put("BAT0", &[("status", "Discharging")]);
        assert!(reads_battery(t.path()));
        put("BAT0", &[("status", "Full")]);
        assert!(!reads_battery(t.path()));
    }
}
