import CPlatform
import Foundation

/// The machine's file system.
public struct SystemDisk: Disk {
    /// Creates access to the file system; all values are equivalent.
    public init() {}

    /// Creates a directory and its missing parents, accessible only by their owner: the data of a ledger, a worker or a
    /// store is private.
    ///
    /// - Parameter path: The directory's path.
    /// - Throws: `BlobError` if a directory cannot be created.
    public func makeDirectory(_ path: String) throws {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw BlobError(.failed, "cannot create the directory \(path): there is a file with that name")
            }
            return
        }
        let parent = Self.folder(of: path)
        if !parent.isEmpty, parent != path, parent != "." { try makeDirectory(parent) }
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw BlobError.system("cannot create the directory \(path)")
        }
    }

    /// Opens a regular file.
    ///
    /// - Parameters:
    ///   - path: The file's path; a symbolic link is followed.
    ///   - mode: Whether to read or to write, and what to do if there is a file or none. A new file has the mode 0644.
    /// - Returns: The file.
    /// - Throws: `BlobError` if it cannot be opened or is not a regular file; its code is `missing` if there is none.
    public func open(_ path: String, _ mode: DiskMode) throws -> any DiskFile { try SystemFile(path, mode) }

    /// Returns the size of a file in bytes; `nil` if there is none at `path`.
    ///
    /// - Parameter path: The file's path; a symbolic link is followed.
    public func byteCount(_ path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_size) : nil
    }

    /// Renames a file, in place of one that `target` may name; durable after ``synchronise(directory:)``.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - target: Its new path, on the same file system.
    /// - Throws: `BlobError` if the file cannot be renamed.
    public func rename(_ path: String, to target: String) throws {
        guard Glibc.rename(path, target) == 0 else { throw BlobError.system("cannot rename \(path)") }
    }

    /// Creates a hard link to a file; there must be nothing at `target`.
    ///
    /// - Parameters:
    ///   - path: The file's path.
    ///   - target: The link's path, on the same file system.
    /// - Throws: `BlobError` if the link cannot be created.
    public func link(_ path: String, to target: String) throws {
        guard Glibc.link(path, target) == 0 else { throw BlobError.system("cannot link \(path)") }
    }

    /// Removes a file; does nothing if it is missing or cannot be removed.
    ///
    /// - Parameter path: The file's path.
    public func remove(_ path: String) { unlink(path) }

    /// Returns the names in a directory, in any order; empty if it is missing or cannot be read.
    ///
    /// - Parameter directory: The directory's path.
    public func names(in directory: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    }

    /// Makes renames and removals in a directory durable.
    ///
    /// - Parameter directory: The directory's path.
    /// - Throws: `BlobError` if the directory cannot be opened or synchronised.
    public func synchronise(directory: String) throws { try Blobs.synchronise(directory) }

    /// Returns the free space for this process on the file system of `path`, in bytes; `nil` if the system does not
    /// report it.
    ///
    /// - Parameter path: A path on the file system, which must exist.
    public static func freeBytes(at path: String) -> UInt64? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let (bytes, isTooMany) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return isTooMany ? .max : bytes
    }

    public var bootID: String { Self.bootID }
    private static let bootID =
        (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
        .trimmingCharacters(in: .whitespacesAndNewlines) ?? UUID().uuidString
}

private final class SystemFile: DiskFile {
    private let descriptor: Int32
    private let path: String

    init(_ path: String, _ mode: DiskMode) throws {
        let flags =
            switch mode {
            case .reading: O_RDONLY
            case .updating: O_RDWR | O_CREAT
            case .replacing: O_RDWR | O_CREAT | O_TRUNC
            }
        // Without O_NONBLOCK, opening a FIFO would block until it has a writer.
        descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { throw BlobError.system("cannot open \(path)") }
        self.path = path
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw BlobError(.failed, "\(path) is not a regular file: remove what is there")
        }
    }

    deinit { close(descriptor) }

    var byteCount: UInt64 {
        get throws {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw BlobError.system("cannot read the status of \(path)") }
            return UInt64(status.st_size)
        }
    }

    var hasOtherNames: Bool {
        get throws {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw BlobError.system("cannot read the status of \(path)") }
            return status.st_nlink > 1
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw BlobError.system("cannot read \(path)") }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw BlobError.system("cannot write \(path)") }
            done += count
        }
    }

    func truncate(to byteCount: UInt64) throws {
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else { throw BlobError.system("cannot truncate \(path)") }
    }

    func beginWriting(_ range: Range<UInt64>) {
        kumiai_begin_writing(descriptor, Int64(range.lowerBound), Int64(range.count))
    }

    func synchronise() throws {
        guard fdatasync(descriptor) == 0 else { throw BlobError.system("cannot make \(path) durable") }
    }
}

/// Calls fsync on a file or a directory.
///
/// - Parameter path: The path of the file or the directory.
/// - Throws: `BlobError` if it cannot be opened or synchronised.
public func synchronise(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw BlobError.system("cannot open \(path)") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw BlobError.system("cannot make \(path) durable") }
}
