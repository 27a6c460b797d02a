//! Who a root is: which volume it lies on, whether it is there, and what kind of volume it is.
//!
//! Lets the caller tell "unmounted, an empty folder is left" and "another disk is mounted here"
//! from "everything was deleted". Reads only; never waits by itself, but on a network volume that
//! does not answer every system call here can hang: call it where that is allowed.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, StatVfsMountFlags, fstat, fstatvfs, open};
use rustix::io::Errno;

#[cfg(target_os = "linux")]
use super::error::is_passing;

/// A volume, named so that the name survives unmounting, rebooting and another device number.
///
/// `uuid:…` of the file system where the system lists it, else `source:TYPE:…` (an NFS export, a
/// `user@host:/path`), else `fsid:…`, else `device:…`, which does not survive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VolumeIdentity(pub String);

impl VolumeIdentity {
    /// True if no other volume can have this name: a UUID, or where a network volume comes from.
    pub fn is_certain(&self) -> bool {
        is_certain(&self.0)
    }
}

/// True if no other volume can have the identity that is written like this.
pub fn is_certain(identity: &str) -> bool {
    identity.starts_with("uuid:") || identity.starts_with("source:")
}

/// What tells, within one boot and at the price of three system calls, that a folder is no longer
/// the one it was: another directory, another device, another size of volume, mounted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootPlace {
    device: u64,
    inode: u64,
    fsid: u64,
    blocks: u64,
    /// Number of the mount, never given twice; 0 where the system does not say (before Linux 6.8).
    mount: u64,
    /// When the directory was made, nanoseconds since the Unix epoch; 0 where that is not known.
    born: i64,
}

impl RootPlace {
    /// What tells the folder from one on another volume that looks the same (same device number,
    /// same inode): a disk that was formatted has a root that was made then. Empty where the file
    /// system does not say when.
    pub fn mark(&self) -> String {
        match self.born {
            0 => String::new(),
            born => format!("{}@{born}", self.inode),
        }
    }
}

/// Where the folder at `path` is now; `None` if there is none.
pub fn place_of(path: &Path) -> Option<RootPlace> {
    place(&open(path, FOLDER, Mode::empty()).ok()?).ok()
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

// Field types differ between systems, hence the casts.
#[allow(
    clippy::useless_conversion,
    clippy::cast_sign_loss,
    clippy::unnecessary_cast
)]
fn place(fd: &OwnedFd) -> Result<RootPlace, Errno> {
    let stat = fstat(fd)?;
    let vfs = fstatvfs(fd)?;
    let (mount, born) = mount_and_birth(fd);
    Ok(RootPlace {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        fsid: vfs.f_fsid,
        blocks: vfs.f_blocks,
        mount,
        born,
    })
}

#[cfg(target_os = "linux")]
fn mount_and_birth(fd: &OwnedFd) -> (u64, i64) {
    use rustix::fs::{AtFlags, StatxFlags, statx};
    // linux/stat.h: STATX_MNT_ID_UNIQUE. Older kernels leave the bit out of their answer.
    const UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);
    let wanted = UNIQUE.union(StatxFlags::BTIME);
    let Ok(found) = statx(fd, c"", AtFlags::EMPTY_PATH, wanted) else {
        return (0, 0);
    };
    let has = |flag: StatxFlags| found.stx_mask & flag.bits() != 0;
    let born = &found.stx_btime;
    (
        if has(UNIQUE) { found.stx_mnt_id } else { 0 },
        if has(StatxFlags::BTIME) {
            crate::photo::nanos(born.tv_sec, i64::from(born.tv_nsec))
        } else {
            0
        },
    )
}

#[cfg(target_vendor = "apple")]
fn mount_and_birth(fd: &OwnedFd) -> (u64, i64) {
    let born = fstat(fd).map_or(0, |st| {
        crate::photo::nanos(st.st_birthtime, st.st_birthtime_nsec)
    });
    (0, born)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn mount_and_birth(_: &OwnedFd) -> (u64, i64) {
    (0, 0)
}

impl std::fmt::Display for VolumeIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What lies at a root's path.
#[derive(Debug)]
pub enum RootPresence {
    /// A directory.
    Present(RootFacts),
    /// Nothing, or a dangling link.
    Missing,
    /// Something that is no directory.
    NotADirectory,
    /// A directory that cannot be opened or read (permissions, I/O error).
    Unreadable(io::Error),
}

/// What is known of a root that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFacts {
    /// The volume.
    pub identity: VolumeIdentity,
    /// Where it is now; only equal or not, within one boot.
    pub place: RootPlace,
    /// It has no entries at all, as a mount point without its volume has not.
    pub empty: bool,
    /// Changes can be made by other machines, so events do not tell all: scan on a schedule.
    pub network_fs: bool,
    /// Mounted read-only.
    pub read_only: bool,
    /// File system type as the system names it (`ext4`, `nfs4`, `fuse.sshfs`), where known.
    pub fs_type: Option<String>,
}

/// One line of the mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    fs_type: String,
    source: String,
}

/// Looks at a root.
pub fn identify(root: &Path) -> RootPresence {
    match look(root) {
        Ok(facts) => RootPresence::Present(facts),
        Err(Errno::NOENT) => RootPresence::Missing,
        Err(Errno::NOTDIR) => RootPresence::NotADirectory,
        Err(e) => RootPresence::Unreadable(e.into()),
    }
}

fn look(root: &Path) -> Result<RootFacts, Errno> {
    let fd = open(root, FOLDER, Mode::empty())?;
    let place = place(&fd)?;
    let vfs = fstatvfs(&fd)?;
    let empty = super::listing::is_empty(fd.as_fd())?;
    let mount = mount_of(root, fd.as_fd())?;
    let fs_type = mount.as_ref().map(|m| m.fs_type.clone());
    let network_fs = is_network(fd.as_fd(), fs_type.as_deref());
    Ok(RootFacts {
        identity: identity(place.device, vfs.f_fsid, network_fs, mount.as_ref())?,
        place,
        empty,
        network_fs,
        read_only: vfs.f_flag.contains(StatVfsMountFlags::RDONLY),
        fs_type,
    })
}

fn identity(
    device: u64,
    fsid: u64,
    network: bool,
    mount: Option<&Mount>,
) -> Result<VolumeIdentity, Errno> {
    let source = || {
        let named = mount.filter(|m| !matches!(m.source.as_str(), "" | "none"))?;
        Some(format!("source:{}:{}", named.fs_type, named.source))
    };
    let fsid = || (fsid != 0).then(|| format!("fsid:{fsid:016x}"));
    let name = if network {
        source().or_else(fsid)
    } else {
        let uuid = uuid_of(device)?.map(|u| format!("uuid:{u}"));
        uuid.or_else(fsid).or_else(source)
    };
    Ok(VolumeIdentity(
        name.unwrap_or_else(|| format!("device:{device:x}")),
    ))
}

/// What the system lists, if it does; only a want of the moment (no descriptors left) is an error: a
/// volume must not be called by another name because its own could not be looked up.
#[cfg(target_os = "linux")]
fn listed<T>(found: io::Result<T>) -> Result<Option<T>, Errno> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(e) if is_passing(&e) => Err(Errno::from_io_error(&e).unwrap_or(Errno::NOMEM)),
        Err(_) => Ok(None),
    }
}

/// The file system UUID that udev lists for a block device.
#[cfg(target_os = "linux")]
fn uuid_of(device: u64) -> Result<Option<String>, Errno> {
    use std::os::unix::fs::MetadataExt;
    let Some(dir) = listed(std::fs::read_dir("/dev/disk/by-uuid"))? else {
        return Ok(None);
    };
    for entry in dir {
        let Some(entry) = listed(entry)? else {
            continue;
        };
        if listed(std::fs::metadata(entry.path()))?.is_some_and(|m| m.rdev() == device) {
            return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn uuid_of(_: u64) -> Result<Option<String>, Errno> {
    Ok(None)
}

/// The mount that `root` lies in.
#[cfg(target_os = "linux")]
fn mount_of(root: &Path, _: rustix::fd::BorrowedFd<'_>) -> Result<Option<Mount>, Errno> {
    let real = listed(std::fs::canonicalize(root))?;
    let table = listed(std::fs::read("/proc/self/mountinfo"))?;
    Ok(real
        .zip(table)
        .and_then(|(real, table)| innermost(&parse_mounts(&table), &real).cloned()))
}

#[cfg(target_vendor = "apple")]
fn mount_of(_: &Path, fd: rustix::fd::BorrowedFd<'_>) -> Result<Option<Mount>, Errno> {
    let fs = rustix::fs::fstatfs(fd)?;
    let text = |chars: &[std::ffi::c_char]| -> String {
        let bytes = chars
            .iter()
            .take_while(|c| **c != 0)
            .map(|c| c.to_ne_bytes()[0])
            .collect();
        String::from_utf8(bytes).unwrap_or_default()
    };
    Ok(Some(Mount {
        point: PathBuf::from(text(&fs.f_mntonname)),
        fs_type: text(&fs.f_fstypename),
        source: text(&fs.f_mntfromname),
    }))
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn mount_of(_: &Path, _: rustix::fd::BorrowedFd<'_>) -> Result<Option<Mount>, Errno> {
    Ok(None)
}

/// The deepest mount point above `path`; of several on one point the last, which hides the others.
#[cfg(any(target_os = "linux", test))]
fn innermost<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|m| path.starts_with(&m.point))
        .max_by_key(|m| m.point.components().count())
}

/// Lines of `/proc/self/mountinfo` (proc(5)): six fields, optional ones up to a `-`, then type and
/// source; spaces and the like are octal escapes.
#[cfg(any(target_os = "linux", test))]
fn parse_mounts(table: &[u8]) -> Vec<Mount> {
    use std::os::unix::ffi::OsStringExt;
    let line_to_mount = |line: &[u8]| {
        let mut fields = line.split(|b| *b == b' ');
        let point = unescape(fields.nth(4)?);
        let mut after = fields.skip_while(|f| *f != b"-").skip(1);
        let fs_type = String::from_utf8_lossy(&unescape(after.next()?)).into_owned();
        let source = String::from_utf8_lossy(&unescape(after.next()?)).into_owned();
        Some(Mount {
            point: std::ffi::OsString::from_vec(point).into(),
            fs_type,
            source,
        })
    };
    table
        .split(|b| *b == b'\n')
        .filter_map(line_to_mount)
        .collect()
}

#[cfg(any(target_os = "linux", test))]
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        if let ([a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', end @ ..], b'\\') =
            (tail, first)
        {
            out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = end;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

/// True where others can change files without this machine's kernel seeing it.
#[cfg(target_os = "linux")]
fn is_network(fd: rustix::fd::BorrowedFd<'_>, fs_type: Option<&str>) -> bool {
    /// From linux/magic.h and the sources of the file systems: NFS, SMB, CIFS, SMB2, Coda, AFS
    /// (two), 9P, Ceph, Lustre, OCFS2, GFS2, VirtualBox and VMware shared folders.
    const REMOTE: [u64; 14] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x7375_7245,
        0x5346_414f,
        0x6b41_4653,
        0x0102_1997,
        0x00c3_6400,
        0x0bd0_0bd0,
        0x7461_636f,
        0x0116_1970,
        0x786f_4256,
        0xbacb_acbc,
    ];
    const FUSE: u64 = 0x6573_5546;
    let magic = rustix::fs::fstatfs(fd).map_or(0, |fs| fs.f_type as u64 & 0xffff_ffff);
    REMOTE.contains(&magic) || (magic == FUSE && !fuse_is_local(fs_type.unwrap_or_default()))
}

#[cfg(target_vendor = "apple")]
fn is_network(_: rustix::fd::BorrowedFd<'_>, fs_type: Option<&str>) -> bool {
    matches!(
        fs_type,
        Some("nfs" | "smbfs" | "afpfs" | "webdav" | "ftp" | "macfuse" | "osxfuse")
    )
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn is_network(_: rustix::fd::BorrowedFd<'_>, _: Option<&str>) -> bool {
    false
}

/// File systems in user space that only repack what lies on this machine. All others (`sshfs`,
/// `rclone`, `virtiofs`…) may change without an event.
#[cfg(any(target_os = "linux", test))]
fn fuse_is_local(fs_type: &str) -> bool {
    const LOCAL: [&str; 12] = [
        "bindfs",
        "cryfs",
        "encfs",
        "exfat",
        "exfat-fuse",
        "gocryptfs",
        "lxcfs",
        "mergerfs",
        "ntfs",
        "ntfs-3g",
        "unionfs",
        "fuse-overlayfs",
    ];
    fs_type == "fuseblk"
        || fs_type
            .strip_prefix("fuse.")
            .is_some_and(|t| LOCAL.contains(&t))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn facts(path: &Path) -> RootFacts {
        match identify(path) {
            RootPresence::Present(facts) => facts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn states_of_a_path() {
        let t = tempfile::tempdir().unwrap();
        assert!(matches!(
            identify(&t.path().join("nix")),
            RootPresence::Missing
        ));
        std::fs::write(t.path().join("f"), b"").unwrap();
        assert!(matches!(
            identify(&t.path().join("f")),
            RootPresence::NotADirectory
        ));
        let first = facts(t.path());
        assert!(!first.empty && !first.network_fs);
        std::fs::remove_file(t.path().join("f")).unwrap();
        let second = facts(t.path());
        assert!(second.empty);
        assert_eq!(first.identity, second.identity);
        assert_eq!(first.place, second.place);
    }

    #[test]
    fn two_folders_of_one_volume_share_the_identity_but_not_the_inode() {
        let t = tempfile::tempdir().unwrap();
        let (a, b) = (t.path().join("a"), t.path().join("b"));
        std::fs::create_dir(&a).unwrap();
        std::fs::create_dir(&b).unwrap();
        assert_eq!(facts(&a).identity, facts(&b).identity);
        assert_ne!(facts(&a).place, facts(&b).place);
        assert!(
            !facts(&a).identity.0.starts_with("device:"),
            "{}",
            facts(&a).identity
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_volume_has_another_identity() {
        let t = tempfile::tempdir().unwrap();
        let shm = Path::new("/dev/shm");
        if let RootPresence::Present(there) = identify(shm)
            && there.place.device != facts(t.path()).place.device
        {
            assert_ne!(there.identity, facts(t.path()).identity);
        }
    }

    #[test]
    fn the_mount_table_is_read_with_its_escapes_and_the_innermost_wins() {
        let table = b"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
            30 22 0:40 / /mnt/my\\040photos rw shared:2 master:1 - nfs4 nas:/export\\134x rw,addr=1\n\
            31 22 0:41 / /mnt/my\\040photos rw - fuse.sshfs me@host:/p rw\n\
            garbage\n";
        let mounts = parse_mounts(table);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[1].source, "nas:/export\\x");
        let at = |p: &str| innermost(&mounts, Path::new(p)).unwrap().fs_type.clone();
        assert_eq!(at("/home/x"), "ext4");
        assert_eq!(at("/mnt/my photos/2024"), "fuse.sshfs");
        assert_eq!(at("/mnt/my photosX"), "ext4");
    }

    #[test]
    fn identities_prefer_what_survives() {
        let mount = |t: &str, s: &str| Mount {
            point: "/".into(),
            fs_type: t.into(),
            source: s.into(),
        };
        let nfs = mount("nfs4", "nas:/photos");
        let name = |fsid, network, m| identity(u64::MAX, fsid, network, m).unwrap().0;
        assert_eq!(name(7, true, Some(&nfs)), "source:nfs4:nas:/photos");
        assert_eq!(name(7, false, Some(&nfs)), "fsid:0000000000000007");
        assert_eq!(
            name(0, false, Some(&mount("tmpfs", "none"))),
            "device:ffffffffffffffff"
        );
        assert!(fuse_is_local("fuseblk") && fuse_is_local("fuse.mergerfs"));
        assert!(!fuse_is_local("fuse.sshfs") && !fuse_is_local("fuse.rclone"));
    }
}
