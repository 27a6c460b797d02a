//! What the fuzzer reaches of this room: messages taken as the parent takes them.

use super::protocol::{self, REPLY_ROOM, Reply};
use crate::embedding::InputSpec;
use crate::media::Refusal;
use crate::photo::Inspection;

/// Whether a message is believed. `memory` is what lies in the reply's room.
pub fn is_believed(message: &[u8], inputs: &[InputSpec], memory: &[u8]) -> bool {
    let Ok(reply) = serde_json::from_slice::<Reply>(message) else {
        return false;
    };
    protocol::inspection(reply, inputs, memory).is_ok()
}

/// What a parent says against an honest reply with this in it; it should be nothing.
pub fn disbelieved(seen: Result<Inspection, Refusal>, inputs: &[InputSpec]) -> Option<String> {
    let mut memory = vec![0; REPLY_ROOM];
    let reply = protocol::reply(seen, &mut memory);
    let message = match serde_json::to_vec(&reply) {
        Ok(message) if message.len() <= protocol::LONGEST => message,
        Ok(message) => return Some(format!("it has {} bytes", message.len())),
        Err(e) => return Some(e.to_string()),
    };
    let reply = match serde_json::from_slice(&message) {
        Ok(reply) => reply,
        Err(e) => return Some(e.to_string()),
    };
    let lie = protocol::inspection(reply, inputs, &memory).err()?;
    Some(lie.to_string())
}
