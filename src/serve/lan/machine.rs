//! Under what names and addresses this machine may be asked for.

use std::net::IpAddr;

/// The names that a network usually knows this machine by, and `localhost`.
pub fn host_names() -> Vec<String> {
    let name = rustix::system::uname();
    names_of(&name.nodename().to_string_lossy())
}

fn names_of(host: &str) -> Vec<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let mut names = Vec::new();
    if !host.is_empty() && host.chars().all(is_plain) {
        let first = host.split('.').next().unwrap_or_default().to_owned();
        let local = format!("{first}.local");
        names = vec![host, first, local];
    }
    names.push("localhost".to_owned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    names
}

/// The addresses that other machines may reach this one at, as they are now.
pub fn addresses() -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = of_interfaces().into_iter().filter(is_reachable).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Not of this machine alone, and not of one cable: browsers take no address with a zone.
fn is_reachable(address: &IpAddr) -> bool {
    let of_one_cable = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || of_one_cable)
}

fn of_interfaces() -> Vec<IpAddr> {
    let mut first = std::ptr::null_mut();
    // SAFETY: the system writes the head of a list there, or says that it could not.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Vec::new();
    }
    let mut addresses = Vec::new();
    let mut at = first;
    while !at.is_null() {
        // SAFETY: `at` is an entry of the list, which lives until `freeifaddrs`; the address of an entry is
        // null or one of the family that it names.
        let address = unsafe {
            let entry = &*at;
            at = entry.ifa_next;
            address_of(entry.ifa_addr)
        };
        addresses.extend(address);
    }
    // SAFETY: the list that `getifaddrs` has made; nothing of it is held any more.
    unsafe { libc::freeifaddrs(first) };
    addresses
}

/// # Safety
/// Null, or an address as long as its family says.
unsafe fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: as the caller promises; entries need not be aligned for their family.
    unsafe {
        match libc::c_int::from(address.read_unaligned().sa_family) {
            libc::AF_INET => {
                let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::from(v4.sin_addr.s_addr.to_ne_bytes()))
            }
            libc::AF_INET6 => {
                let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::from(v6.sin6_addr.s6_addr))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_network_knows() {
        assert_eq!(names_of("NAS"), ["nas", "nas.local", "localhost"]);
        let full = ["nas.fritz.box", "nas", "nas.local", "localhost"];
        assert_eq!(names_of("nas.fritz.box."), full);
        assert_eq!(names_of("mini.local"), ["mini.local", "mini", "localhost"]);
        for none in ["", "localhost", "(none)", "a b", "ä"] {
            let names = names_of(none);
            assert!(names.ends_with(&["localhost".to_owned()]) || none == "localhost");
            assert!(
                !names.iter().any(|n| n.contains([' ', '(', 'ä'])),
                "{names:?}"
            );
        }
    }

    #[test]
    fn addresses_of_this_machine_alone_are_not_told() {
        let all = of_interfaces();
        assert!(all.iter().any(IpAddr::is_loopback), "{all:?}");
        assert!(addresses().iter().all(is_reachable));
        for (address, reachable) in [
            ("192.168.1.5", true),
            ("fd00::5", true),
            ("169.254.3.4", false),
            ("fe80::1", false),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_reachable(&address.parse().unwrap()), reachable);
        }
    }
}
