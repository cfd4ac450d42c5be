import Federation
import Foundation

/// A line for the security officer for everything that left the site: what, when, and its digest.
struct SentLog: Sendable {
    let path: String

    /// Appends a line, or throws why it cannot be there: the record of what left the site must not have a silent gap.
    func note(_ manifest: UpdateManifest, at time: Timestamp) throws {
        let line = """
            {"at_ms": \(time.milliseconds), "campaign": "\(manifest.campaign)", "round": \(manifest.key.round), "attempt": \
            \(manifest.key.attempt), "update": "\(manifest.update.hex)", "bytes": \(manifest.updateByteCount)}\n
            """
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else { throw WorkerError("cannot open \(path): \(String(cString: strerror(errno)))") }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw WorkerError("\(path) is not a regular file") }
        try file.write(contentsOf: Data(line.utf8))
    }
}
