//! The file system that SQLite calls: the default one of the machine, with the
//! disk's say before whatever changes a file.
//!
//! SQLite hands over a piece of memory for each open file. Ours begins with
//! [`File`]; the default file system's own file follows right behind it and
//! does all the work. Files that lie on no [`Disk`] are given to the default
//! file system as a whole, and we never hear of them again.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Once};

use rusqlite::ffi;

use crate::{Disk, VFS, Verdict, find};

/// What SQLite keeps of an open file on a disk. The default file system's file
/// lies behind it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// Which file it is.
struct Handle {
    disk: Arc<Disk>,
    name: String,
    /// Failed syncs of the file that this handle was told of.
    told: AtomicU64,
}

/// The kinds of files that a disk keeps account of.
const KEPT: c_int = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;

/// Version 2: with shared memory, without memory-mapped reads, which would
/// bypass us.
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
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes SQLite know us, once.
pub(crate) fn register() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let name = std::ffi::CString::new(VFS).expect("the name has no zero letter");
        // SAFETY: a null name asks for the default file system, which SQLite
        // has on every Unix and never takes away. Its struct is plain data. The
        // copy and its name are leaked, so they live as long as SQLite may ask.
        unsafe {
            let default = ffi::sqlite3_vfs_find(std::ptr::null());
            assert!(!default.is_null(), "SQLite has a default file system");
            let mut ours = std::ptr::read(default);
            ours.szOsFile += size_of::<File>() as c_int;
            ours.pNext = std::ptr::null_mut();
            ours.zName = name.into_raw();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            // The default file system itself, for the functions above. (Those
            // that we have taken over as they are do not look at this.)
            ours.pAppData = default.cast();
            let registered = ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 0);
            assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes any number of file systems");
        }
    });
}

/// Returns the default file system.
///
/// # Safety
/// `ours` is what [`register`] registered.
unsafe fn default_of(ours: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: `register` has put it there.
    unsafe { (*ours).pAppData.cast() }
}

/// Returns the default file system's file behind ours.
///
/// # Safety
/// `file` was opened by [`open`] with [`METHODS`].
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` asks for the room of both; the size of `File` is a
    // multiple of the alignment of a pointer, which is all that a file needs.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// Returns the methods of the file behind ours.
///
/// # Safety
/// As for [`inner`].
unsafe fn methods(file: *mut ffi::sqlite3_file) -> &'static ffi::sqlite3_io_methods {
    // SAFETY: a file that was opened has methods, and they are static.
    unsafe { &*(*inner(file)).pMethods }
}

/// Returns which file it is.
///
/// # Safety
/// As for [`inner`]; the reference must not outlive the call.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a Handle {
    // SAFETY: `open` has put it there, and only `close` takes it away.
    unsafe { &*(*file.cast::<File>()).handle }
}

/// Reads a path that SQLite hands over.
///
/// # Safety
/// `path` is null, or a C string that lives for the call.
unsafe fn path_of<'a>(path: *const c_char) -> Option<&'a Path> {
    if path.is_null() {
        return None;
    }
    // SAFETY: said above.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Some(Path::new(OsStr::from_bytes(bytes)))
}

const EXPECT: &str = "the default file system has every method of its version";

unsafe extern "C" fn open(
    ours: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with our own struct, with a path that lives as long
    // as the file, and with `szOsFile` bytes for the file. Where opening fails
    // the methods stay null, and SQLite does not close.
    unsafe {
        let default = default_of(ours);
        let open = (*default).xOpen.expect(EXPECT);
        let found = if flags & KEPT == 0 { None } else { path_of(path).and_then(find) };
        let Some((disk, name)) = found else { return open(default, path, file, flags, out_flags) };
        (*file).pMethods = std::ptr::null();
        let opened = open(default, path, inner(file), flags, out_flags);
        if opened != ffi::SQLITE_OK {
            return opened;
        }
        let told = AtomicU64::new(disk.opened(&name));
        (*file.cast::<File>()).handle = Box::into_raw(Box::new(Handle { disk, name, told }));
        (*file).pMethods = &raw const METHODS;
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(ours: *mut ffi::sqlite3_vfs, path: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: SQLite calls with our own struct and a path that lives for the call.
    unsafe {
        let default = default_of(ours);
        if let Some((disk, name)) = path_of(path).and_then(find)
            && let Verdict::Fails | Verdict::Full = disk.delete(&name, sync_folder != 0)
        {
            return ffi::SQLITE_IOERR_DELETE;
        }
        (*default).xDelete.expect(EXPECT)(default, path, sync_folder)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, after the last use of it.
    unsafe {
        let closed = methods(file).xClose.expect(EXPECT)(inner(file));
        drop(Box::from_raw((*file.cast::<File>()).handle));
        (*file).pMethods = std::ptr::null();
        closed
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the buffer has room for `amount` bytes, and the default file
    // system fills all of it, with zeros behind the end of the file.
    unsafe {
        let read = methods(file).xRead.expect(EXPECT)(inner(file), buffer, amount, at);
        if read == ffi::SQLITE_OK {
            let bytes = std::slice::from_raw_parts_mut(buffer.cast::<u8>(), amount as usize);
            let handle = handle(file);
            return match handle.disk.read(&handle.name, at as u64, bytes) {
                Verdict::Goes => read,
                Verdict::Fails | Verdict::Full => ffi::SQLITE_IOERR_READ,
            };
        }
        read
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the buffer holds `amount` bytes.
    unsafe {
        let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), amount as usize);
        let handle = handle(file);
        match handle.disk.write(&handle.name, at as u64, bytes) {
            Verdict::Goes => methods(file).xWrite.expect(EXPECT)(inner(file), buffer, amount, at),
            Verdict::Fails => ffi::SQLITE_IOERR_WRITE,
            Verdict::Full => ffi::SQLITE_FULL,
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: an open file of ours.
    unsafe {
        let handle = handle(file);
        match handle.disk.cut(&handle.name, size as u64) {
            Verdict::Goes => methods(file).xTruncate.expect(EXPECT)(inner(file), size),
            Verdict::Fails | Verdict::Full => ffi::SQLITE_IOERR_TRUNCATE,
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: an open file of ours.
    let handle = unsafe { handle(file) };
    match handle.disk.sync(&handle.name, &handle.told) {
        // The machine that this test runs on is not the one that crashes, so
        // its disk is left in peace.
        Verdict::Goes => ffi::SQLITE_OK,
        Verdict::Fails | Verdict::Full => ffi::SQLITE_IOERR_FSYNC,
    }
}

/// Writes a method that passes the call on.
macro_rules! passed_on {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $kind),*) $(-> $answer)? {
            // SAFETY: an open file of ours; the arguments are SQLite's, and
            // meant for the file behind.
            unsafe { methods(file).$method.expect(EXPECT)(inner(file), $($argument),*) }
        }
    )*};
}

passed_on! {
    file_size = xFileSize(size: *mut ffi::sqlite3_int64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(answer: *mut c_int) -> c_int;
    file_control = xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(page: c_int, page_bytes: c_int, extend: c_int, memory: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}
