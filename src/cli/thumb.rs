//! `photond thumb`

use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};

use super::drawing::Screen;
use super::show::{at_path, real_path};
use super::{Context_, Exit};
use crate::daemon::inspector;
use crate::media::preview;
use crate::photo::ContentHash;
use crate::safe_file;
use crate::store::{StoreReader, ThumbStore};

/// Write a small picture of a photo, as a JPEG
///
/// For previews in fzf, file managers and scripts. A thumbnail comes from the index, if the photo is known, also
/// while its drive is away; otherwise, and in larger sizes, the file is decoded at once, whatever its format.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The photo, indexed or not
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The longer side in pixels, at most
    #[arg(long, value_name = "PIXELS", default_value = "256", value_parser = ["256", "512", "1440"])]
    size: String,
    /// Write to this file instead of standard output; a file that is there is replaced
    #[arg(short, long, value_name = "FILE", conflicts_with = "preview")]
    output: Option<PathBuf>,
    /// Draw it in the terminal (or in fzf's preview window)
    #[arg(long)]
    preview: bool,
}

const EXAMPLES: &str = "Examples:
  photond thumb IMG_2231.heic > small.jpg
  photond thumb --size 1440 IMG_2231.cr3 --output /tmp/large.jpg
  photond thumb --preview IMG_2231.jpg
  photond query --tag dog --format paths | fzf --preview 'photond thumb --preview {}'";

/// What the index keeps.
const KEPT: u32 = 256;

pub(super) fn run(context: &Context_, args: &Args) -> anyhow::Result<Exit> {
    let size = args.size.parse().unwrap_or(KEPT);
    let screen = args
        .preview
        .then(|| Screen::new(&context.out))
        .transpose()?;
    if screen.is_none() && args.output.is_none() && context.out.terminal_out {
        bail!(
            "a JPEG is nothing for a terminal to print: --preview draws it here, --output FILE or `> FILE` writes it"
        );
    }
    let file = real_path(&args.file);
    // Without an index, or with one that cannot be read now, the file itself is there still.
    let reader = StoreReader::open(&context.data_dir).ok();
    if let Some(output) = &args.output {
        spare_photos(&file, output, reader.as_ref())?;
    }
    let Some(jpeg) = jpeg_of(context, reader.as_ref(), &file, size)? else {
        let shown = args.file.display();
        let line = format!("photond: {shown} is neither there nor indexed");
        context.out.notice(&line);
        return Ok(Exit::Nothing);
    };
    let mut out = std::io::stdout().lock();
    match (screen, &args.output) {
        (Some(screen), _) => screen.draw(&jpeg, &mut out)?,
        (None, Some(output)) => safe_file::write(output, &jpeg)
            .with_context(|| format!("cannot write {}", output.display()))?,
        (None, None) => out.write_all(&jpeg)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Photos are never written to, whatever the command line says.
fn spare_photos(file: &Path, output: &Path, reader: Option<&StoreReader>) -> anyhow::Result<()> {
    let path = real_path(output);
    let same = |a: Metadata, b: Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    let is_it = match (std::fs::metadata(file), std::fs::metadata(&path)) {
        (Ok(photo), Ok(there)) => same(photo, there),
        _ => false,
    };
    let indexed = || -> anyhow::Result<bool> {
        let found = reader.map(|reader| at_path(reader, &path)).transpose()?;
        Ok(found.flatten().is_some())
    };
    if is_it || indexed()? {
        bail!(
            "{} is a photo, and photond does not overwrite photos: choose another --output",
            output.display()
        );
    }
    Ok(())
}

/// A small picture of a file; `None` if it is neither there nor indexed.
fn jpeg_of(
    context: &Context_,
    reader: Option<&StoreReader>,
    file: &Path,
    size: u32,
) -> anyhow::Result<Option<Vec<u8>>> {
    let hit = reader.map(|reader| at_path(reader, file)).transpose()?;
    let hit = hit.flatten();
    let there = std::fs::metadata(file);
    let thumbs = ThumbStore::open_read_only(&context.data_dir).ok();
    let kept = |hash: &ContentHash| {
        // A damaged thumbs.db is the daemon's to make anew.
        let thumb = thumbs.as_ref()?.image_of(hash).ok()??;
        (size == KEPT && thumb.0 == "image/jpeg").then_some(thumb.1)
    };
    let there = match (there, &hit) {
        (Ok(there), _) => there,
        (Err(_), Some(hit)) => {
            if let Some(jpeg) = kept(&hit.photo.hash) {
                return Ok(Some(jpeg));
            }
            let less = if size == KEPT { "" } else { " in this size" };
            bail!(
                "{} is indexed, but not there now, and no picture of it is kept{less}",
                file.display()
            );
        }
        (Err(e), None) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        (Err(e), None) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
    };
    // As the daemon has seen it: then it need not be read.
    let mtime = i128::from(there.mtime()) * 1_000_000_000 + i128::from(there.mtime_nsec());
    let seen = hit.filter(|h| h.size == there.size() && i128::from(h.mtime_ns) == mtime);
    if let Some(jpeg) = seen.and_then(|hit| kept(&hit.photo.hash)) {
        return Ok(Some(jpeg));
    }
    if !there.is_file() {
        bail!("{} is not a file", file.display());
    }
    let bytes = read(file, context.config.max_file_mib)?;
    if let Some(jpeg) = kept(&ContentHash(*blake3::hash(&bytes).as_bytes())) {
        return Ok(Some(jpeg));
    }
    let ending = file.extension();
    let ending = ending.map(|e| e.to_string_lossy().to_ascii_lowercase());
    let inspector = inspector(&context.config, false);
    preview(&*inspector, &bytes, ending.as_deref(), size)
        .map(Some)
        .map_err(|e| anyhow!("there is no picture in {}: {e}", file.display()))
}

fn read(file: &Path, most_mib: u64) -> anyhow::Result<Vec<u8>> {
    let most = most_mib << 20;
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", file.display()))?;
    if bytes.len() as u64 > most {
        bail!(
            "{} is larger than the {most_mib} MiB that max_file_mib allows",
            file.display()
        );
    }
    Ok(bytes)
}
