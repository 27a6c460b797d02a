//! A checksum on every page of a database file, so that damage is found where it is read.
//!
//! A thin layer over SQLite's own access to files. It wraps main database files and nothing else;
//! logs, journals and temporary files go straight to the system. A database whose header keeps
//! eight bytes free at the end of each page gets there, on every whole page that is written, the
//! checksum of the page and its number, and every whole page that is read is set against it. A page
//! that does not match is answered with `SQLITE_CORRUPT`: no row of it is ever seen. A database
//! without those bytes (made by an earlier photond) passes through unchanged, and any other program
//! can read either kind, since to SQLite the bytes are simply unused.
//!
//! Never: changes SQLite's own buffers (pages are copied before they are sealed, so the log's
//! checksums are not disturbed), maps the file into memory, or looks at parts of pages.
//!
//! Cost: see [`seal`].

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::OnceLock;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

/// Bytes at the end of a page that hold its checksum.
pub(super) const RESERVED: usize = 8;
/// Page size of photond's databases: SQLite's default.
pub(super) const PAGE: usize = 4096;

const NAME: &CStr = c"photond-checked";
/// Our own file control: pages are to be sealed from the first write on, though there is no header
/// yet that says so.
const SEAL_FROM_NOW: c_int = 0x7068_0001;
/// And another: how large the pages are that are sealed; 0 if none are.
const PAGE_SEALED: c_int = 0x7068_0002;
/// Part of page 1 that tells the page's size and the bytes kept free.
const HEADER: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The checksum of a page: CRC-32 of its number and first half, and of all of it. The number makes
/// a page at another page's place damage too. Two halves, so that each is told by itself; damage of
/// up to four bytes in a row is always seen, any other but for once in four thousand million.
///
/// 0.2 µs a page, where reading one from the system's cache takes 0.7 µs; 64 bits of BLAKE3 take
/// 3.9 µs, and guard against an attacker, who could as well write the right checksum.
fn seal(number: u32, body: &[u8]) -> [u8; RESERVED] {
    let (first, second) = body.split_at(body.len() / 2);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(first);
    let half = hasher.clone().finalize();
    hasher.update(second);
    let mut sum = [0; RESERVED];
    sum[..4].copy_from_slice(&half.to_le_bytes());
    sum[4..].copy_from_slice(&hasher.finalize().to_le_bytes());
    sum
}

/// Whether a whole page carries the checksum of what it holds.
pub(super) fn is_sound(number: u32, page: &[u8]) -> bool {
    page.len()
        .checked_sub(RESERVED)
        .is_some_and(|end| page[end..] == seal(number, &page[..end]))
}

/// Page size and bytes kept free, as a header says; `None` if it is none.
pub(super) fn layout(header: &[u8]) -> Option<(usize, usize)> {
    if header.len() < HEADER || &header[..16] != MAGIC {
        return None;
    }
    let size = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        n => usize::from(n),
    };
    (size.is_power_of_two() && size >= 512).then_some((size, usize::from(header[20])))
}

/// What SQLite holds of an open database; the system's own file follows it in the same memory.
#[repr(C)]
struct CheckedFile {
    base: ffi::sqlite3_file,
    /// Size of a page that is sealed; 0 while this database is not.
    page: usize,
    /// A sealed copy of the page being written.
    copy: Vec<u8>,
}

/// Where the system's own file begins.
const INNER: usize = size_of::<CheckedFile>().next_multiple_of(16);

/// The system's own layer, which ours passes everything on to.
#[derive(Clone, Copy)]
struct System(*mut ffi::sqlite3_vfs);

// SAFETY: it lives as long as the process, and SQLite locks what it changes of it itself.
unsafe impl Send for System {}
// SAFETY: as above.
unsafe impl Sync for System {}

static SYSTEM: OnceLock<Option<System>> = OnceLock::new();

/// Registers our layer with SQLite at the first use. `None` only where SQLite has no access to
/// files at all.
fn system() -> Option<System> {
    *SYSTEM.get_or_init(|| {
        // SAFETY: SQLite initialises itself; the answer lives as long as the process.
        let inner = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
        // SAFETY: null or valid, see above.
        let found = unsafe { inner.as_ref() }?;
        let size = found.szOsFile + c_int::try_from(INNER).ok()?;
        // Everything but opening is the system layer's own doing, with its own data behind it.
        let ours = Box::into_raw(Box::new(ffi::sqlite3_vfs {
            szOsFile: size,
            zName: NAME.as_ptr(),
            pNext: std::ptr::null_mut(),
            xOpen: Some(open),
            ..*found
        }));
        // SAFETY: it is never freed, and belongs to SQLite from here on; it is not the default.
        let code = unsafe { ffi::sqlite3_vfs_register(ours, 0) };
        (code == ffi::SQLITE_OK).then_some(System(inner))
    })
}

/// Opens a database with checked pages.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = match system() {
        Some(_) => Connection::open_with_flags_and_vfs(path, flags, NAME),
        None => Connection::open_with_flags(path, flags),
    }?;
    // The way to an answer does not hang on the values that are bound. Without this SQLite makes a
    // statement anew each time that it is taken from the cache, which costs twenty times what a look-up does.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

/// Has a new, empty database keep checksums from its first page on. Has no effect on one that has
/// pages already: they get their checksums by a `VACUUM` after this.
pub(super) fn keep_checksums(conn: &Connection) -> rusqlite::Result<()> {
    let mut reserved = c_int::try_from(RESERVED).unwrap_or(0);
    control(conn, ffi::SQLITE_FCNTL_RESERVE_BYTES, &raw mut reserved)
}

/// Seals pages though the header is not written yet: for the target of a copy, whose pages come in
/// any order.
pub(super) fn seal_from_now(conn: &Connection) -> rusqlite::Result<()> {
    let mut size = c_int::try_from(PAGE).unwrap_or(0);
    control(conn, SEAL_FROM_NOW, &raw mut size)
}

/// Whether the pages of an open database are sealed.
pub(super) fn has_checksums(conn: &Connection) -> bool {
    let mut size: c_int = 0;
    control(conn, PAGE_SEALED, &raw mut size).is_ok() && size > 0
}

fn control(conn: &Connection, what: c_int, value: *mut c_int) -> rusqlite::Result<()> {
    // SAFETY: the connection is open, and both controls take a pointer to an int.
    let code =
        unsafe { ffi::sqlite3_file_control(conn.handle(), c"main".as_ptr(), what, value.cast()) };
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
}

unsafe extern "C" fn open(
    _ours: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let Some(System(system)) = system() else {
        return ffi::SQLITE_CANTOPEN;
    };
    // SAFETY: `inner` is the system's layer, alive for ever.
    let Some(open) = (unsafe { (*system).xOpen }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    if flags & ffi::SQLITE_OPEN_MAIN_DB == 0 || name.is_null() {
        // SAFETY: SQLite's own arguments; `file` has room for more than the system's file.
        return unsafe { open(system, name, file, flags, out) };
    }
    let ours = file.cast::<CheckedFile>();
    // SAFETY: `szOsFile` made room for our part and the system's behind it.
    unsafe {
        ours.write(CheckedFile {
            base: ffi::sqlite3_file {
                pMethods: std::ptr::null(),
            },
            page: 0,
            copy: Vec::new(),
        });
        let inner = inner(file);
        (*inner).pMethods = std::ptr::null();
        let code = open(system, name, inner, flags, out);
        // SQLite closes what has methods, opened or not; then ours must be there to pass it on.
        if (*inner).pMethods.is_null() {
            ours.drop_in_place();
            (*file).pMethods = std::ptr::null();
        } else {
            (*file).pMethods = &raw const METHODS;
        }
        code
    }
}

/// The system's file behind ours.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the caller's file is one of ours, which has the system's at this place.
    unsafe { file.byte_add(INNER) }
}

/// Calls a method of the system's file; one that is missing is an I/O error.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: SQLite calls this on a file that `open` has made, with its own arguments.
        unsafe {
            let inner = inner($file);
            match (*(*inner).pMethods).$method {
                Some(method) => method(inner $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = pass!(file, xClose);
    // SAFETY: made by `open`, and SQLite does not touch it after this.
    unsafe { file.cast::<CheckedFile>().drop_in_place() };
    code
}

/// Number of the page if just that is read or written.
fn whole_page(page: usize, length: usize, offset: i64) -> Option<u32> {
    let at = usize::try_from(offset).ok()?;
    if page == 0 || length != page || at % page != 0 {
        return None;
    }
    u32::try_from(at / page + 1).ok()
}

/// Takes over what a header at the file's beginning says.
fn learn(file: &mut CheckedFile, offset: i64, bytes: &[u8]) {
    if offset == 0
        && let Some((size, reserved)) = layout(bytes)
    {
        file.page = if reserved == RESERVED { size } else { 0 };
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    let code = pass!(file, xRead, out, length, offset);
    if code == ffi::SQLITE_IOERR_SHORT_READ && offset > 0 {
        // SQLite would take what is missing for zeros.
        // SAFETY: the file is ours.
        let page = unsafe { (*file.cast::<CheckedFile>()).page };
        let cut = whole_page(page, usize::try_from(length).unwrap_or(0), offset).is_some();
        return if cut { ffi::SQLITE_CORRUPT } else { code };
    }
    if code != ffi::SQLITE_OK {
        return code;
    }
    let length = usize::try_from(length).unwrap_or(0);
    // SAFETY: SQLite gave the buffer with this length, and it has been filled; the file is ours.
    let (bytes, ours) = unsafe {
        (
            std::slice::from_raw_parts(out.cast::<u8>(), length),
            &mut *file.cast::<CheckedFile>(),
        )
    };
    learn(ours, offset, bytes);
    match whole_page(ours.page, length, offset) {
        Some(number) if !is_sound(number, bytes) => {
            tracing::debug!("page {number} does not match its checksum");
            ffi::SQLITE_CORRUPT
        }
        _ => ffi::SQLITE_OK,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    let size = usize::try_from(length).unwrap_or(0);
    // SAFETY: SQLite gave the buffer with this length; the file is ours.
    let (bytes, ours) = unsafe {
        (
            std::slice::from_raw_parts(from.cast::<u8>(), size),
            &mut *file.cast::<CheckedFile>(),
        )
    };
    learn(ours, offset, bytes);
    let Some(number) = whole_page(ours.page, size, offset) else {
        return pass!(file, xWrite, from, length, offset);
    };
    ours.copy.clear();
    ours.copy.extend_from_slice(bytes);
    let end = size - RESERVED;
    let sum = seal(number, &ours.copy[..end]);
    ours.copy[end..].copy_from_slice(&sum);
    let sealed = ours.copy.as_ptr().cast::<c_void>();
    pass!(file, xWrite, sealed, length, offset)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    pass!(file, xTruncate, size)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    pass!(file, xSync, flags)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    pass!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    pass!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    what: c_int,
    value: *mut c_void,
) -> c_int {
    if what == SEAL_FROM_NOW {
        // SAFETY: `seal_from_now` gives a pointer to an int; the file is ours.
        unsafe {
            let size = *value.cast::<c_int>();
            (*file.cast::<CheckedFile>()).page = usize::try_from(size).unwrap_or(0);
        }
        return ffi::SQLITE_OK;
    }
    if what == PAGE_SEALED {
        // SAFETY: as above.
        unsafe {
            let size = (*file.cast::<CheckedFile>()).page;
            *value.cast::<c_int>() = c_int::try_from(size).unwrap_or(0);
        }
        return ffi::SQLITE_OK;
    }
    pass!(file, xFileControl, what, value)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xSectorSize)
}

unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    pass!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    pass!(file, xShmLock, offset, n, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `pass!`.
    unsafe {
        let inner = inner(file);
        if let Some(method) = (*(*inner).pMethods).xShmBarrier {
            method(inner);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    pass!(file, xShmUnmap, delete)
}

/// Version 2: with shared memory for the log, without mapped files, whose pages nobody could check.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Reads the first page of a database without opening it, through SQLite's own access to files:
/// closing a descriptor that SQLite does not know of would drop the locks of this process.
pub(super) fn first_page(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let fail = |code: c_int| std::io::Error::other(format!("SQLite's code {code}"));
    let System(system) = system().ok_or_else(|| fail(ffi::SQLITE_CANTOPEN))?;
    let text = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let none = std::ptr::null::<*const c_char>();
    // SAFETY: a file name in SQLite's form, given back below.
    let name = unsafe {
        ffi::sqlite3_create_filename(
            text.as_ptr(),
            c"".as_ptr(),
            c"".as_ptr(),
            0,
            none.cast_mut(),
        )
    };
    if name.is_null() {
        return Err(fail(ffi::SQLITE_NOMEM));
    }
    let flags = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_READONLY;
    let mut page = vec![0_u8; PAGE];
    // SAFETY: room for the system's file, which is closed again if it was opened; the name outlives it.
    let code = unsafe {
        let size = usize::try_from((*system).szOsFile).unwrap_or(0);
        let mut room = vec![0_u64; size.div_ceil(8)];
        let file = room.as_mut_ptr().cast::<ffi::sqlite3_file>();
        let mut out = 0;
        let mut code = match (*system).xOpen {
            Some(open) => open(system, name, file, flags, &raw mut out),
            None => ffi::SQLITE_CANTOPEN,
        };
        if let Some(methods) = (*file).pMethods.as_ref() {
            if code == ffi::SQLITE_OK
                && let Some(read) = methods.xRead
            {
                code = read(file, page.as_mut_ptr().cast(), PAGE as c_int, 0);
            }
            if let Some(close) = methods.xClose {
                close(file);
            }
        }
        ffi::sqlite3_free_filename(name);
        code
    };
    match code {
        ffi::SQLITE_OK | ffi::SQLITE_IOERR_SHORT_READ => Ok(page),
        code => Err(fail(code)),
    }
}
