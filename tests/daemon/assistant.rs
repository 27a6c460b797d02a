//! `photond mcp`: a conversation with the real program, line by line.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::env::{TestEnv, save};

/// A program that asks.
struct Assistant {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    asked: u64,
}

impl Assistant {
    fn new(env: &TestEnv) -> Self {
        let mut command = env.command(&["mcp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take(), child.stdout.take().unwrap());
        let from = BufReader::new(from);
        let mut assistant = Self {
            child,
            to,
            from,
            asked: 0,
        };
        let version = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t" } });
        let begun = assistant.ask("initialize", version);
        assert_eq!(begun["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(begun["result"]["serverInfo"]["name"], "photond");
        assistant.tell(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assistant
    }

    fn tell(&mut self, line: &[u8]) {
        let to = self.to.as_mut().unwrap();
        to.write_all(line).unwrap();
        to.write_all(b"\n").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let asked =
            json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params });
        self.tell(asked.to_string().as_bytes());
        let answer = self.hear();
        assert_eq!(answer["id"], self.asked);
        answer
    }

    /// What a tool says, and its pictures.
    fn call(&mut self, name: &str, arguments: Value) -> (Value, Vec<Value>) {
        let answer = self.ask(
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        );
        let result = &answer["result"];
        assert_eq!(result["isError"], false, "{name}: {answer}");
        let content = result["content"].as_array().unwrap();
        assert_eq!(content[0]["type"], "text");
        let said = serde_json::from_str(content[0]["text"].as_str().unwrap()).unwrap();
        (said, content[1..].to_vec())
    }

    /// The sentence of a call that fails.
    fn fails(&mut self, name: &str, arguments: Value) -> String {
        let answer = self.ask(
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        );
        assert_eq!(answer["result"]["isError"], true, "{name}: {answer}");
        answer["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn leave(mut self) {
        self.to = None;
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn an_assistant_searches_looks_and_gets_an_overview() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("trip")).unwrap();
    for n in 0..10 {
        save(n, &env.photo(&format!("trip/IMG_2019050{n}_101112.jpg")));
    }
    save(20, &env.photo("other.png"));
    env.index();
    let mut assistant = Assistant::new(&env);

    let tools = assistant.ask("tools/list", json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search", "show", "overview"]);
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
        assert!(!tool["description"].as_str().unwrap().is_empty());
    }

    let (said, pictures) = assistant.call("search", json!({ "folder": "trip", "pictures": 8 }));
    assert_eq!((&said["photos"], pictures.len()), (&json!(10), 8));
    let first = &said["results"][0];
    assert_eq!(first["picture"], 1);
    assert!(first["path"].as_str().unwrap().ends_with(".jpg"), "{first}");
    assert_eq!(pictures[0]["mimeType"], "image/jpeg");
    // Base64 of the first bytes of any JPEG.
    assert!(pictures[0]["data"].as_str().unwrap().starts_with("/9j/"));
    let (said, none) = assistant.call("search", json!({ "limit": 3 }));
    assert_eq!(
        (said["results"].as_array().unwrap().len(), none.len()),
        (3, 0)
    );
    assert!(said["more"].is_string());

    let by_id = assistant.call("show", json!({ "id": first["id"] }));
    assert_eq!(by_id.0["path"], first["path"]);
    assert_eq!(by_id.1.len(), 1);
    let (said, pictures) =
        assistant.call("show", json!({ "path": first["path"], "picture": false }));
    assert_eq!((&said["id"], pictures.len()), (&first["id"], 0));
    assert!(
        said["width"] == 320 && said.get("phash").is_none(),
        "{said}"
    );

    let (said, _) = assistant.call("overview", json!({}));
    assert_eq!(said["photos"], 11);
    assert_eq!(said["years"]["2019"], 9, "{said}");
    assert_eq!(said["folders"], json!([env.photos().to_str().unwrap()]));

    // Mistakes that can be mended are told, and what lands meanwhile is found.
    for (tool, arguments, says) in [
        (
            "search",
            json!({ "tags": ["zzzunknownzzz"] }),
            "zzzunknownzzz",
        ),
        ("search", json!({ "since": "soonish" }), "soonish"),
        ("search", json!({ "pictures": 9 }), "0 to 8"),
        ("search", json!({ "limit": 0 }), "1 to 100"),
        ("search", json!({ "path": "/etc" }), "not understood"),
        ("show", json!({ "id": 4711 }), "4711"),
        ("show", json!({ "path": "/etc/passwd" }), "not indexed"),
        ("show", json!({}), "either id or path"),
        ("overview", json!({ "x": 1 }), "not understood"),
    ] {
        let said = assistant.fails(tool, arguments);
        assert!(said.contains(says), "{tool}: {said}");
    }
    save(30, &env.photo("late.jpg"));
    env.index();
    let (said, _) = assistant.call("search", json!({ "name": "late" }));
    assert_eq!(said["photos"], 1);
    assistant.leave();
}

#[test]
fn words_find_photos_with_or_without_a_model() {
    let env = TestEnv::new();
    fs::create_dir(env.photo("lighthouse")).unwrap();
    save(1, &env.photo("lighthouse/a.jpg"));
    env.index();
    let mut assistant = Assistant::new(&env);
    let (said, _) = assistant.call("search", json!({ "words": "lighthouse" }));
    assert_eq!(said["photos"], 1, "{said}");
    assistant.leave();
}

#[test]
fn what_is_no_message_does_not_end_the_conversation() {
    let env = TestEnv::new();
    env.index();
    let mut assistant = Assistant::new(&env);
    let long = vec![b'x'; 5 << 20];
    let lines: [(&[u8], i64); 5] = [
        (b"hello", -32700),
        (b"\xff\xfe", -32700),
        (b"[]", -32600),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"resources/read"}"#,
            -32601,
        ),
        (&long, -32600),
    ];
    for (line, code) in lines {
        assistant.tell(line);
        let answer = assistant.hear();
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    let answer = assistant.ask("tools/call", json!({ "name": "shell", "arguments": {} }));
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(assistant.ask("ping", json!({}))["result"], json!({}));
    assistant.leave();
}

#[test]
fn without_an_index_calls_say_so() {
    let env = TestEnv::new();
    let mut assistant = Assistant::new(&env);
    for tool in ["search", "overview"] {
        let said = assistant.fails(tool, json!({}));
        assert!(said.contains("index"), "{said}");
    }
    assistant.leave();
}
