//! An installation, step by step.
//!
//! What is meant ([`Recipe`]); the right to change that pack ([`PackPlace`]); the files, from the hub or
//! a shelf, into the partial folder; every file's content against every checksum that is known of
//! it; manifest and stamp; one rename. Whatever ends it early leaves the partial folder to go on
//! with, and the installed pack as it was.

use std::path::{Path, PathBuf};

use super::catalogue::published;
use super::compare::{Checked, compare};
use super::digest;
use super::download::{self, Wanted};
use super::environment::Environment;
use super::error::io;
use super::http::Client;
use super::hub::{self, Stated};
use super::place::PackPlace;
use super::recipe::{InstallRequest, Origin, Recipe, settle_revision};
use super::retry::{Patience, Pause};
use super::shelf::Shelf;
use super::{Check, InstallError, Meter, Step, Watch, fetched, space};
use crate::embedding::ModelId;
use crate::model::pack::read_manifest;
use crate::model::stamp::Stamp;
use crate::model::{Manifest, ModelPack};
use crate::safe_file;

/// Remembers between runs which commit a partial installation is of.
const SOURCE: &str = "source.state";

/// Everything an installation needs from outside.
pub struct Installer<'a> {
    /// Where `models/` lies.
    pub data_dir: &'a Path,
    /// Endpoint, token, proxies.
    pub environment: Environment,
    /// When to give up.
    pub patience: Patience,
    /// Lets time pass between tries.
    pub pause: &'a dyn Pause,
    /// Is told, and may stop it.
    pub watch: &'a dyn Watch,
}

/// A pack that is in place.
#[derive(Debug)]
pub struct Installed {
    /// Name and revision.
    pub id: ModelId,
    /// Its folder.
    pub dir: PathBuf,
    /// It was there before, whole.
    pub already: bool,
    /// Bytes that came over the network.
    pub received: u64,
    /// The commit that the files are of, where the source has commits.
    pub commit: Option<String>,
    /// Each file, its size in bytes, and what it was checked against.
    pub files: Vec<(String, u64, Check)>,
}

impl Installer<'_> {
    /// Installs a pack.
    ///
    /// # Errors
    /// See [`InstallError`]; nothing that was installed before is harmed.
    pub fn install(&self, request: &InstallRequest) -> Result<Installed, InstallError> {
        let recipe = Recipe::find(request)?;
        let place = PackPlace::take(self.data_dir, &recipe.manifest.name)?;
        if let Some(there) = already(&place, &recipe.manifest) {
            return Ok(there);
        }
        let dir = place.partial()?;
        let mut job = Installation {
            installer: self,
            manifest: recipe.manifest,
            dir,
            meter: Meter::new(self.watch),
            received: 0,
            commit: None,
        };
        let files = match recipe.origin {
            Origin::Hub => job.bring_from_hub()?,
            Origin::Shelf { shelf, own } => job.bring_from_shelf(&shelf, own)?,
            Origin::Script => {
                let brought = fetched::fetch(&job.dir, &job.manifest.name, self.watch)?;
                let files = job.bring_from_shelf(&Shelf::open(&brought)?, true)?;
                fetched::keep_licences(&brought, &job.dir)?;
                super::place::remove_tree(&brought)?;
                files
            }
        };
        job.finish(&place, files)
    }
}

/// The pack is here, whole, and the one that is wanted.
fn already(place: &PackPlace, wanted: &Manifest) -> Option<Installed> {
    let dir = place.installed();
    let (id, files) = if fetched::has(&wanted.name) {
        fetched::installed(&dir, wanted)?
    } else {
        let pack = ModelPack::open_dir(&dir).ok()?;
        let has = read_manifest(&dir).ok()?;
        let mut same = wanted.clone();
        for (name, entry) in &mut same.files {
            let there = has.files.get(name)?;
            if entry.blake3.is_none() {
                entry.blake3.clone_from(&there.blake3);
            }
            if entry.blake3 != there.blake3 {
                return None;
            }
        }
        settle_revision(&mut same);
        // Another manifest over the same files (a mended calibration) is worth installing.
        if same.id() != pack.id || !same_meaning(&same, &has) {
            return None;
        }
        let files = pack.files().map(|(n, s)| (n.to_owned(), s)).collect();
        (pack.id.clone(), files)
    };
    Some(Installed {
        id,
        dir,
        already: true,
        received: 0,
        commit: None,
        files: files
            .into_iter()
            .map(|(name, size)| (name, size, Check::Recorded))
            .collect(),
    })
}

/// All that decides what comes out of a pack is the same.
fn same_meaning(a: &Manifest, b: &Manifest) -> bool {
    a.image == b.image && a.text == b.text && a.calibration == b.calibration && a.dims == b.dims
}

struct Installation<'a> {
    installer: &'a Installer<'a>,
    manifest: Manifest,
    dir: PathBuf,
    meter: Meter<'a>,
    received: u64,
    commit: Option<String>,
}

impl Installation<'_> {
    fn bring_from_hub(&mut self) -> Result<Vec<Checked>, InstallError> {
        let at = self.installer;
        let client = Client::new(at.environment.clone(), at.patience.clone())?;
        let source = self
            .manifest
            .source
            .clone()
            .ok_or_else(|| InstallError::BadManifest {
                path: format!("{}: model.toml", self.manifest.name),
                reason: "it has no [source] to install from; say --from FOLDER".to_owned(),
            })?;
        let revision = self.pin(&client, &source.repo, &source.revision)?;
        let names: Vec<String> = self.manifest.files.keys().cloned().collect();
        let address = |name: &str| -> Result<(String, String), InstallError> {
            let path = self.manifest.files[name].path.as_deref().unwrap_or(name);
            let url = hub::url(client.endpoint(), &source.repo, &revision, path)?;
            Ok((path.to_owned(), url))
        };
        // What there is to do, before the first byte: sizes for the disk and for the progress.
        let mut plan = Vec::new();
        for name in &names {
            let (path, url) = address(name)?;
            let known = self.manifest.files[name].size;
            let stated = hub::look(&client, &url, at.pause, at.watch)
                .map_err(|e| where_it_was(e, &source.repo, &path, &revision))?
                .unwrap_or_default();
            let size = known.or(stated.size);
            let here = download::here(&self.dir, name);
            self.meter.expect(name, size, here);
            plan.push((name.clone(), path, url, size, here));
        }
        let need = plan
            .iter()
            .filter_map(|(_, _, _, size, here)| size.map(|s| s.saturating_sub(*here)))
            .sum();
        space::check(&self.dir, need)?;
        let mut checked = Vec::new();
        for (name, path, url, size, _) in plan {
            let pin =
                published(&source.repo, &path).filter(|_| digest::is_hex(&source.revision, 40));
            let done = self
                .fetch(&client, &name, &url, size, pin.as_deref())
                .map_err(|e| where_it_was(e, &source.repo, &path, &revision))?;
            checked.push(done);
        }
        if let Some(source) = &mut self.manifest.source {
            source.revision = revision;
        }
        Ok(checked)
    }

    /// The commit that a revision is, once and for all files, also for a later run.
    fn pin(&mut self, client: &Client, repo: &str, revision: &str) -> Result<String, InstallError> {
        if digest::is_hex(revision, 40) {
            self.commit = Some(revision.to_owned());
            return Ok(revision.to_owned());
        }
        let note = self.dir.join(SOURCE);
        let key = format!("{}/{repo}@{revision}=", client.endpoint());
        let noted = std::fs::read_to_string(&note).unwrap_or_default();
        if let Some(commit) = noted.trim().strip_prefix(&key)
            && digest::is_hex(commit, 40)
        {
            self.commit = Some(commit.to_owned());
            return Ok(commit.to_owned());
        }
        let Some((name, entry)) = self.manifest.files.iter().next() else {
            return Ok(revision.to_owned());
        };
        let path = entry.path.as_deref().unwrap_or(name);
        let url = hub::url(client.endpoint(), repo, revision, path)?;
        let at = self.installer;
        let stated = hub::look(client, &url, at.pause, at.watch)
            .map_err(|e| where_it_was(e, repo, path, revision))?;
        match stated.and_then(|s| s.commit) {
            Some(commit) => {
                let text = format!("{key}{commit}\n");
                safe_file::write(&note, text.as_bytes()).map_err(io(&note, "write"))?;
                self.commit = Some(commit.clone());
                Ok(commit)
            }
            None => {
                at.watch.notice(&format!(
                    "{} does not say which commit {revision} is; the files are taken as they are there",
                    client.endpoint()
                ));
                Ok(revision.to_owned())
            }
        }
    }

    /// One file from the network, checked. A resumed one that turns out wrong is fetched once more
    /// from its beginning: the server may have changed it without saying so.
    fn fetch(
        &mut self,
        client: &Client,
        name: &str,
        url: &str,
        size: Option<u64>,
        pin: Option<&str>,
    ) -> Result<Checked, InstallError> {
        let at = self.installer;
        let mut again = false;
        loop {
            let pinned = self.manifest.files[name].blake3.is_some() || pin.is_some();
            let wanted = Wanted {
                url,
                name,
                dir: &self.dir,
                size,
                checked: pinned,
            };
            let meter = &self.meter;
            let arrived = download::fetch(client, &wanted, at.pause, at.watch, &mut |here| {
                meter.at(Step::Download, name, here);
            })?;
            self.received += arrived.received;
            let was_here = arrived.received == 0 || arrived.resumed;
            match self.check(name, url, Some(&arrived.stated), pin) {
                Err(e @ InstallError::WrongContent { .. }) => {
                    download::forget(&self.dir, name);
                    if !was_here || again {
                        return Err(e);
                    }
                    at.watch.notice(&format!(
                        "{name} has changed at the server; fetching it anew"
                    ));
                    again = true;
                }
                result => return result,
            }
        }
    }

    fn bring_from_shelf(&mut self, shelf: &Shelf, own: bool) -> Result<Vec<Checked>, InstallError> {
        let mut plan = Vec::new();
        for (name, entry) in self.wanted_files() {
            let found = shelf.find(&name, entry.path.as_deref(), own)?;
            if let Some(expected) = entry.size
                && expected != found.size
            {
                return Err(InstallError::WrongSize {
                    file: name,
                    from: shelf.name(),
                    expected,
                    found: found.size,
                });
            }
            self.meter.expect(&name, Some(found.size), 0);
            plan.push((name, entry.path, found));
        }
        space::check(&self.dir, plan.iter().map(|(_, _, f)| f.size).sum())?;
        let repo = self
            .manifest
            .source
            .as_ref()
            .filter(|s| digest::is_hex(&s.revision, 40))
            .map(|s| s.repo.clone());
        let mut checked = Vec::new();
        for (name, path, found) in plan {
            download::forget(&self.dir, &name);
            let meter = &self.meter;
            found.copy(&self.dir.join(&name), self.installer.watch, &mut |here| {
                meter.at(Step::Copy, &name, here);
            })?;
            let pin = repo
                .as_deref()
                .and_then(|repo| published(repo, path.as_deref().unwrap_or(&name)));
            let result = self.check(&name, &shelf.name(), None, pin.as_deref());
            if matches!(result, Err(InstallError::WrongContent { .. })) {
                download::forget(&self.dir, &name);
            }
            checked.push(result?);
        }
        Ok(checked)
    }

    /// The files that are to be brought: all, but for those compiled in.
    fn wanted_files(&self) -> Vec<(String, crate::model::FileEntry)> {
        self.manifest
            .files
            .iter()
            .filter(|(name, _)| {
                let pack = &self.manifest.name;
                !fetched::has(pack) || fetched::is_fetched(pack, name)
            })
            .map(|(name, entry)| (name.clone(), entry.clone()))
            .collect()
    }

    /// Compares a file that is here with everything that is known of it.
    fn check(
        &self,
        name: &str,
        from: &str,
        stated: Option<&Stated>,
        pin: Option<&str>,
    ) -> Result<Checked, InstallError> {
        let mut read = 0;
        let digests = digest::of_file(&self.dir.join(name), self.installer.watch, |n| {
            read += n;
            self.meter.at(Step::Check, name, read);
        })?;
        compare(name, from, digests, &self.manifest.files[name], stated, pin)
    }

    /// Manifest and stamp, nothing else left in the folder, and the rename.
    fn finish(
        mut self,
        place: &PackPlace,
        checked: Vec<Checked>,
    ) -> Result<Installed, InstallError> {
        for file in &checked {
            let entry = self.manifest.files.entry(file.name.clone()).or_default();
            entry.size = Some(file.digests.size);
            entry.blake3 = Some(file.digests.blake3.clone());
        }
        self.manifest.variants.clear();
        settle_revision(&mut self.manifest);
        self.clear(&checked)?;
        let id = self.manifest.id();
        if fetched::has(&self.manifest.name) {
            let mut stamp = Stamp::default();
            for file in &checked {
                let path = self.dir.join(&file.name);
                let metadata = std::fs::metadata(&path).map_err(io(&path, "look at"))?;
                stamp.note(&file.name, &metadata, &file.digests.blake3);
            }
            stamp.write(&self.dir).map_err(io(&self.dir, "write"))?;
        } else {
            self.manifest.complete()?;
            let path = self.dir.join("model.toml");
            let text = self.manifest.to_toml()?;
            safe_file::write(&path, text.as_bytes()).map_err(io(&path, "write"))?;
            let opened = ModelPack::open_and_stamp(&self.dir);
            if let Err(e) = opened {
                // The files are right, the manifest is not: it must not be gone on with.
                let _ = std::fs::remove_file(&path);
                return Err(e.into());
            }
        }
        let dir = place.put_in_place()?;
        self.meter.finish();
        Ok(Installed {
            id,
            dir,
            already: false,
            received: self.received,
            commit: self.commit,
            files: checked
                .into_iter()
                .map(|c| (c.name, c.digests.size, c.check))
                .collect(),
        })
    }

    /// Removes what is no file of the pack: states, and what an older attempt left.
    fn clear(&self, checked: &[Checked]) -> Result<(), InstallError> {
        let list = std::fs::read_dir(&self.dir).map_err(io(&self.dir, "read"))?;
        for entry in list.filter_map(Result::ok) {
            let name = entry.file_name();
            let keep = checked
                .iter()
                .any(|c| name.to_str() == Some(c.name.as_str()))
                || (fetched::has(&self.manifest.name) && fetched::is_licence(&name));
            let path = entry.path();
            if !keep {
                let gone = if path.is_dir() {
                    std::fs::remove_dir_all(&path)
                } else {
                    std::fs::remove_file(&path)
                };
                gone.map_err(io(&path, "remove"))?;
            }
        }
        Ok(())
    }
}

/// A 404 says which file of which repository.
fn where_it_was(e: InstallError, repo: &str, file: &str, revision: &str) -> InstallError {
    match e {
        InstallError::Status { url, status: 404 } => InstallError::NotFound {
            repo: repo.to_owned(),
            file: file.to_owned(),
            revision: revision.to_owned(),
            url,
        },
        other => other,
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
