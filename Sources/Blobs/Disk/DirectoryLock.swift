import Glibc

/// Prevents a second process from using a data directory. The lock is released when the process ends, however it ends.
public final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Locks a directory, which is created if it is missing; the lock is the file `lock` in it.
    ///
    /// - Parameter directory: The directory's path.
    /// - Throws: `BlobError` with the code `busy` if another process holds the lock, or another code if the directory
    ///   or the file cannot be created.
    public init(_ directory: String) throws {
        try SystemDisk().makeDirectory(directory)
        descriptor = open(directory + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw BlobError.system("cannot open \(directory)/lock") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw BlobError(.busy, "\(directory) is in use by another process")
        }
    }

    deinit { close(descriptor) }
}
