//! What the user's environment says about the network: endpoint, token, proxies.
//!
//! Read once, into a plain value, so that nothing below looks at variables by itself. The rules are
//! curl's: `HTTPS_PROXY` for `https`, `HTTP_PROXY` for `http`, `ALL_PROXY` for either when its own
//! is not set (small letters win over capitals), `NO_PROXY` for hosts that are reached directly.
//! (`ureq` by itself would send everything through the first one that it finds.)

/// The hub that packs come from unless `HF_ENDPOINT` names a mirror.
pub const HUB: &str = "https://huggingface.co";

/// Settings of the network.
#[derive(Clone, Default)]
pub struct Environment {
    /// `HF_ENDPOINT`, or [`HUB`]; without a slash at its end.
    pub endpoint: String,
    /// `HF_TOKEN`: sent to the endpoint and to nobody else.
    pub token: Option<String>,
    /// Proxy for `http` addresses.
    pub http_proxy: Option<String>,
    /// Proxy for `https` addresses.
    pub https_proxy: Option<String>,
    /// Hosts without a proxy, separated by commas.
    pub no_proxy: String,
}

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            variable(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty())
        };
        let either = |small: &str| set(small).or_else(|| set(&small.to_ascii_uppercase()));
        let all = either("all_proxy");
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: set("HF_TOKEN"),
            http_proxy: either("http_proxy").or_else(|| all.clone()),
            https_proxy: either("https_proxy").or(all),
            no_proxy: either("no_proxy").unwrap_or_default(),
        }
    }

    /// The proxy for an address, if it goes through one.
    pub(super) fn proxy(&self, scheme: &str, host: &str) -> Option<&str> {
        if bypasses(&self.no_proxy, host) {
            return None;
        }
        if scheme == "https" {
            self.https_proxy.as_deref()
        } else {
            self.http_proxy.as_deref()
        }
    }
}

/// `NO_PROXY`: `*` is every host; a name is that host and everything below it.
fn bypasses(list: &str, host: &str) -> bool {
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
        .to_ascii_lowercase();
    list.split([',', ' ']).map(str::trim).any(|entry| {
        if entry == "*" {
            return true;
        }
        let entry = entry.trim_start_matches('*').trim_start_matches('.');
        // `host:port` is a host here; an address of IPv6 has colons of its own.
        let entry = match entry.rsplit_once(':') {
            Some((name, port))
                if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) =>
            {
                name
            }
            _ => entry,
        };
        let entry = entry
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        !entry.is_empty()
            && (host == entry
                || host
                    .strip_suffix(&entry)
                    .is_some_and(|rest| rest.ends_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Environment {
        Environment::from(|name| {
            pairs
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn the_hub_is_asked_unless_a_mirror_is_named() {
        assert_eq!(with(&[]).endpoint, HUB);
        assert_eq!(with(&[("HF_ENDPOINT", " ")]).endpoint, HUB);
        assert_eq!(
            with(&[("HF_ENDPOINT", "http://mirror:8080/hf/")]).endpoint,
            "http://mirror:8080/hf"
        );
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let env = with(&[
            ("https_proxy", "http://small:1"),
            ("HTTPS_PROXY", "http://large:1"),
            ("ALL_PROXY", "http://all:1"),
            ("NO_PROXY", "localhost,.intern.example, 10.0.0.1"),
        ]);
        assert_eq!(env.proxy("https", "huggingface.co"), Some("http://small:1"));
        assert_eq!(env.proxy("http", "huggingface.co"), Some("http://all:1"));
        assert_eq!(env.proxy("https", "localhost"), None);
        assert_eq!(env.proxy("https", "a.intern.example"), None);
        assert_eq!(env.proxy("http", "10.0.0.1"), None);
        assert_eq!(with(&[]).proxy("https", "huggingface.co"), None);
    }

    #[test]
    fn no_proxy_is_by_whole_labels() {
        assert!(bypasses("*", "anything"));
        assert!(bypasses("example.com", "cdn.Example.com"));
        assert!(bypasses("*.example.com", "cdn.example.com"));
        assert!(bypasses("127.0.0.1:8080", "127.0.0.1"));
        assert!(bypasses("::1", "[::1]"));
        assert!(!bypasses("example.com", "notexample.com"));
        assert!(!bypasses("", "example.com"));
        assert!(!bypasses(",,", "example.com"));
    }
}
