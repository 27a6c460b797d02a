//! JSON-RPC 2.0 and of the Model Context Protocol what a server of tools needs.
//!
//! <https://modelcontextprotocol.io/specification/2025-11-25>

use serde_json::{Map, Value, json};

/// Newest first. Of what changed between them, only [`BATCHES`] matters here.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", BATCHES, "2024-11-05"];
/// The one version in which several messages may come as a list.
const BATCHES: &str = "2025-03-26";

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;

/// What can be called.
pub(super) trait ToolBox {
    /// Name, description and input of each.
    fn list(&self) -> Value;

    /// What calling one gives: its content, or a sentence about what went wrong, from which the caller can learn.
    /// `None` if there is no such tool.
    fn call(&self, name: &str, arguments: Value) -> Option<Result<Vec<Value>, String>>;
}

/// A conversation.
pub(super) struct Session<'t> {
    tools: &'t dyn ToolBox,
    version: &'static str,
}

/// A request that cannot be answered: the code, and a sentence.
type Refused = (i32, String);

impl<'t> Session<'t> {
    pub fn new(tools: &'t dyn ToolBox) -> Self {
        Self {
            tools,
            version: VERSIONS[0],
        }
    }

    /// The answer to a line; none to a notification.
    pub fn answer(&mut self, line: &[u8]) -> Option<Value> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        match serde_json::from_slice(line) {
            Ok(Value::Array(batch)) if self.version == BATCHES && !batch.is_empty() => {
                let answers = batch.iter().filter_map(|message| self.one(message));
                let answers: Vec<Value> = answers.collect();
                (!answers.is_empty()).then_some(Value::Array(answers))
            }
            Ok(message) => self.one(&message),
            Err(e) => Some(error(&Value::Null, PARSE_ERROR, &format!("not JSON: {e}"))),
        }
    }

    fn one(&mut self, message: &Value) -> Option<Value> {
        let invalid = |id: &Value, why: &str| Some(error(id, INVALID_REQUEST, why));
        let Value::Object(message) = message else {
            return invalid(&Value::Null, "a message is a JSON object");
        };
        let given = message.get("id");
        let id = match given {
            Some(id) if id.is_string() || id.is_i64() || id.is_u64() => id.clone(),
            None => Value::Null,
            Some(_) => return invalid(&Value::Null, "id is a string or a whole number"),
        };
        if message.get("jsonrpc") != Some(&json!("2.0")) {
            return invalid(&id, "jsonrpc is \"2.0\"");
        }
        let Some(method) = message.get("method") else {
            // An answer, though nothing is ever asked from here.
            let is_answer = message.contains_key("result") || message.contains_key("error");
            return (!is_answer).then(|| error(&id, INVALID_REQUEST, "there is no method"));
        };
        let Some(method) = method.as_str() else {
            return invalid(&id, "method is a string");
        };
        // A notification has none: there is none that changes anything here, and none is ever answered.
        given?;
        let none = Map::new();
        let answered = match message.get("params") {
            None => self.request(method, &none),
            Some(Value::Object(params)) => self.request(method, params),
            Some(_) => Err((INVALID_PARAMS, "params is an object".to_owned())),
        };
        Some(match answered {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, why)) => error(&id, code, &why),
        })
    }

    fn request(&mut self, method: &str, params: &Map<String, Value>) -> Result<Value, Refused> {
        match method {
            "initialize" => {
                let asked = params.get("protocolVersion").and_then(Value::as_str);
                let asked = asked.ok_or((INVALID_PARAMS, "protocolVersion is a string".into()))?;
                // Another one is answered by the newest; whoever does not know that goes away.
                let known = VERSIONS.into_iter().find(|version| *version == asked);
                self.version = known.unwrap_or(VERSIONS[0]);
                Ok(json!({
                    "protocolVersion": self.version,
                    "capabilities": { "tools": {} },
                    "serverInfo": {
                        "name": "photond",
                        "title": "Photos on this machine",
                        "version": env!("CARGO_PKG_VERSION"),
                    },
                    "instructions": INSTRUCTIONS,
                }))
            }
            "ping" => Ok(json!({})),
            "tools/list" if params.contains_key("cursor") => Err((
                INVALID_PARAMS,
                "no cursor was given: there is one page".into(),
            )),
            "tools/list" => Ok(json!({ "tools": self.tools.list() })),
            "tools/call" => self.call(params),
            _ => Err((METHOD_NOT_FOUND, format!("there is no method {method:?}"))),
        }
    }

    fn call(&self, params: &Map<String, Value>) -> Result<Value, Refused> {
        let name = params.get("name").and_then(Value::as_str);
        let name = name.ok_or((INVALID_PARAMS, "name is a string".into()))?;
        let arguments = match params.get("arguments") {
            None | Some(Value::Null) => json!({}),
            Some(arguments @ Value::Object(_)) => arguments.clone(),
            Some(_) => return Err((INVALID_PARAMS, "arguments is an object".into())),
        };
        match self.tools.call(name, arguments) {
            Some(Ok(content)) => Ok(json!({ "content": content, "isError": false })),
            Some(Err(why)) => {
                Ok(json!({ "content": [{ "type": "text", "text": why }], "isError": true }))
            }
            None => Err((INVALID_PARAMS, format!("there is no tool {name:?}"))),
        }
    }
}

const INSTRUCTIONS: &str = "The photos of the person at this machine, as their index knows them. Start with `overview` \
     to learn which tags, people, places and years there are, find photos with `search`, and look at single ones with \
     `show`. Nothing can be changed.";

/// What a line that was too long is answered.
pub(super) fn too_long(most: usize) -> Value {
    let why = format!("the message is longer than {most} bytes and was not read");
    error(&Value::Null, INVALID_REQUEST, &why)
}

fn error(id: &Value, code: i32, why: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": why } })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl ToolBox for Echo {
        fn list(&self) -> Value {
            json!([{ "name": "echo" }])
        }

        fn call(&self, name: &str, arguments: Value) -> Option<Result<Vec<Value>, String>> {
            (name == "echo").then(|| match arguments.get("say") {
                Some(say) => Ok(vec![say.clone()]),
                None => Err("nothing to say".to_owned()),
            })
        }
    }

    /// Answers to these lines, in one conversation.
    fn talk(lines: &[&str]) -> Vec<Option<Value>> {
        let mut session = Session::new(&Echo);
        let answers = lines.iter().map(|line| session.answer(line.as_bytes()));
        answers.collect()
    }

    fn one(line: &str) -> Option<Value> {
        talk(&[line]).remove(0)
    }

    fn code(line: &str) -> (Value, i64) {
        let answer = one(line).unwrap();
        assert_eq!(answer["jsonrpc"], "2.0");
        assert!(answer.get("result").is_none());
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
        (
            answer["id"].clone(),
            answer["error"]["code"].as_i64().unwrap(),
        )
    }

    #[test]
    fn a_version_that_both_know_is_spoken() {
        let ask = |version: &str| {
            let line = format!(
                r#"{{"jsonrpc":"2.0","id":"a","method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{{}}}}}}"#
            );
            let answer = one(&line).unwrap();
            assert_eq!(answer["id"], "a");
            assert_eq!(answer["result"]["capabilities"], json!({ "tools": {} }));
            answer["result"]["protocolVersion"].clone()
        };
        for version in VERSIONS {
            assert_eq!(ask(version), version);
        }
        assert_eq!(ask("1999-01-01"), VERSIONS[0]);
        assert_eq!(ask("2099-01-01"), VERSIONS[0]);
        let without = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
        assert_eq!(code(without), (json!(1), -32602));
    }

    #[test]
    fn tools_are_listed_and_called() {
        let list = one(r#"{"jsonrpc":"2.0","id":0,"method":"tools/list"}"#).unwrap();
        assert_eq!(
            list,
            json!({ "jsonrpc": "2.0", "id": 0, "result": { "tools": [{ "name": "echo" }] } })
        );
        let call = |params: &str| {
            let line =
                format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#);
            one(&line).unwrap()
        };
        let said = call(r#"{"name":"echo","arguments":{"say":{"type":"text","text":"x"}}}"#);
        assert_eq!(said["result"]["content"][0]["text"], "x");
        assert_eq!(said["result"]["isError"], false);
        // What the caller can mend is a result, what its program gets wrong an error.
        let failed = call(r#"{"name":"echo"}"#);
        assert_eq!(failed["result"]["isError"], true);
        assert_eq!(failed["result"]["content"][0]["text"], "nothing to say");
        for wrong in [
            r#"{"name":"shell"}"#,
            r#"{"name":7}"#,
            "{}",
            "[]",
            r#"{"name":"echo","arguments":[]}"#,
        ] {
            assert_eq!(call(wrong)["error"]["code"], -32602, "{wrong}");
        }
        let page = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}"#;
        assert_eq!(code(page).1, -32602);
    }

    #[test]
    fn what_is_not_understood_is_said_with_the_right_code() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (line, id, wanted) in [
            ("{", Value::Null, -32700),
            ("\u{0}", Value::Null, -32700),
            (deep.as_str(), Value::Null, -32700),
            ("[]", Value::Null, -32600),
            ("1", Value::Null, -32600),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
                Value::Null,
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                Value::Null,
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
                Value::Null,
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":[],"method":"ping"}"#,
                Value::Null,
                -32600,
            ),
            (r#"{"id":1,"method":"ping"}"#, json!(1), -32600),
            (
                r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
                json!(1),
                -32600,
            ),
            (r#"{"jsonrpc":"2.0","id":1}"#, json!(1), -32600),
            (r#"{"jsonrpc":"2.0","id":1,"method":2}"#, json!(1), -32600),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#,
                json!(1),
                -32601,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":3}"#,
                json!(1),
                -32602,
            ),
        ] {
            assert_eq!(code(line), (id, wanted), "{line:.60}");
        }
        let mut session = Session::new(&Echo);
        let answer = session.answer(b"{\"jsonrpc\":\"\xff\"}").unwrap();
        assert_eq!(answer["error"]["code"], -32700);
    }

    #[test]
    fn notifications_and_answers_are_not_answered() {
        for line in [
            "",
            "  \r",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
        ] {
            assert_eq!(one(line), None, "{line}");
        }
        let pong = one(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#).unwrap();
        assert_eq!(pong, json!({ "jsonrpc": "2.0", "id": "p", "result": {} }));
    }

    #[test]
    fn a_list_of_messages_is_for_the_version_that_has_them() {
        let begin = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#;
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let (both, one) = (format!("[{ping},{told},3]"), format!("[{told}]"));
        let answers = talk(&[begin, &both, &one, "[]"]);
        let list = answers[1].as_ref().unwrap().as_array().unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(
            (&list[0]["id"], &list[1]["error"]["code"]),
            (&json!(1), &json!(-32600))
        );
        assert_eq!(answers[2], None);
        assert_eq!(answers[3].as_ref().unwrap()["error"]["code"], -32600);
    }
}
