//! The program around the API's server: its commands' words, and what they do when it is asked.

use std::path::Path;
use std::sync::Arc;

use rustix::process::{Signal, getpid, kill_process};
use serde_json::Value;

use super::serve::lan_settings;
use super::words::KnownWords;
use super::{Context_, control, desktop, people, show, status};
use crate::daemon::{Companion, ControlOrder, HexPath, Pause, inspector};
use crate::dirs::api_sockets;
use crate::media::Inspects;
use crate::model::ModelPack;
use crate::search::Searcher;
use crate::serve::{Answers, BoxedError, Errand, ServeOptions, Serving};
use crate::store::{Hit, StoreReader, unix_now};

/// Starts the server beside a daemon.
pub(super) fn companion(context: &Context_) -> Companion {
    let context = context.clone();
    Box::new(move || {
        let around = context.clone();
        let options = ServeOptions {
            data_dir: context.data_dir.clone(),
            sockets: api_sockets(&context.data_dir),
            port: context.config.gallery.port,
            always: context.config.gallery.always,
            lan: lan_settings(&context),
            follow_links: context.config.follow_symlinks,
            max_file: context.config.max_file_mib << 20,
            most_previews: context.config.gallery.previews_mib << 20,
            get_answers: Box::new(move || Ok(Arc::new(Commands::new(&around)?))),
        };
        match Serving::start(options) {
            Ok(serving) => Ok(Box::new(serving)),
            Err(e) => Err(format!(
                "`photond open` cannot reach this photond: no socket can be opened: {e}"
            )),
        }
    })
}

/// What the commands say and do.
struct Commands {
    context: Context_,
    known: KnownWords,
    inspector: Arc<dyn Inspects>,
}

impl Commands {
    fn new(context: &Context_) -> Result<Self, BoxedError> {
        Ok(Self {
            context: context.clone(),
            known: KnownWords::read(context)?,
            // Somebody waits for these: they go before the backlog.
            inspector: inspector(&context.config, false),
        })
    }
}

impl Answers for Commands {
    fn searcher<'a>(&'a self, reader: &'a StoreReader) -> Result<Searcher<'a>, BoxedError> {
        Ok(self.known.searcher(&self.context, reader)?)
    }

    fn classifier_pack(&self) -> &ModelPack {
        &self.known.pack
    }

    fn inspector(&self) -> Arc<dyn Inspects> {
        Arc::clone(&self.inspector)
    }

    fn photo(&self, reader: &StoreReader, hit: &Hit) -> Result<Value, BoxedError> {
        Ok(show::all_of(
            &self.context,
            &self.known,
            reader,
            (hit, false),
        )?)
    }

    fn people(&self, reader: &StoreReader) -> Result<Value, BoxedError> {
        Ok(people::as_json(&reader.persons()?))
    }

    fn status(&self, reader: &StoreReader) -> Result<Value, BoxedError> {
        let status = status::read(&self.context, reader, true)?;
        Ok(status::all_as_json(&self.context, reader, &status)?)
    }

    fn run(&self, errand: Errand) -> Result<Option<u64>, BoxedError> {
        let hex = |path: &Path| HexPath::new(path);
        let order = match errand {
            Errand::Pause(seconds) => {
                let until = seconds.map(|s| unix_now() + i64::from(s));
                control::put(&self.context, Some(Pause { until }))?;
                return Ok(None);
            }
            Errand::Resume => {
                control::put(&self.context, None)?;
                return Ok(None);
            }
            Errand::Reload => {
                // As the service manager asks for it.
                kill_process(getpid(), Signal::HUP)?;
                return Ok(None);
            }
            Errand::Reveal(path) => {
                desktop::reveal(&path)?;
                return Ok(Some(1));
            }
            Errand::Open(path) => {
                desktop::open(&path)?;
                return Ok(Some(1));
            }
            Errand::Rescan(path) => ControlOrder::Rescan {
                path: path.as_deref().map(hex),
            },
            Errand::Confirm(root) => ControlOrder::Confirm {
                roots: root.as_deref().map(hex).into_iter().collect(),
            },
            Errand::Forget(root) => ControlOrder::Forget { path: hex(&root) },
        };
        Ok(control::obey(&self.context, &order)?)
    }
}
