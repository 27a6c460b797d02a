//! Decoding in processes of its own: what a file's bytes can do to a decoder stays there.
//!
//! **Promises.** No byte of a photo is decoded before the walls stand: no file system, no network, no
//! new process, no executable memory, bounds on memory, and an end with the parent. A file that ends
//! its process, stalls it or makes it lie costs that file two attempts and nobody else anything. What a
//! process answers is believed only as far as it can be true.
//!
//! **Never.** A process holds no descriptor but its two, sees no environment, and outlives no parent.
//!
//! | room | what is in it |
//! |---|---|
//! | `sandbox` | the walls, one by one |
//! | `protocol` | requests and replies, and what of a reply can be true |
//! | `child` | the process |
//! | `pool` | the parent's side: starting, asking, replacing |

mod child;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod pool;
mod protocol;
mod sandbox;
#[cfg(test)]
mod tests;

pub use child::{WORD, run};
pub use pool::{Pool, PoolOptions};
pub use sandbox::Walls;
