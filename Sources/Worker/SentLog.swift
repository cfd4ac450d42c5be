import Federation
import Foundation

/// A line for the security officer for everything that left the site: what, when, and its digest.
struct SentLog: Sendable {
    let path: String

    /// Bytes at the end in which the newest lines are looked for.
    private static let lookedAt: UInt64 = 16 * 1024

    /// Appends a line, or throws why it cannot be there: the record of what left the site must not have a silent gap.
    func note(_ manifest: UpdateManifest, at time: Timestamp) throws {
        let update = """
            "campaign": "\(manifest.campaign)", "round": \(manifest.key.round), "attempt": \(manifest.key.attempt), "update": "\(manifest.update.hex)"
            """
        let line = """
            {"at_ms": \(time.milliseconds), \(update), "bytes": \(manifest.updateByteCount)}\n
            """
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else { throw WorkerError("cannot open \(path): \(String(cString: strerror(errno)))") }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw WorkerError("\(path) is not a regular file") }
        // A transfer that goes on is no further one.
        let end = UInt64(status.st_size)
        try file.seek(toOffset: end - min(end, Self.lookedAt))
        guard try !String(decoding: file.readToEnd() ?? Data(), as: UTF8.self).contains(update) else { return }
        try file.write(contentsOf: Data(line.utf8))
        try file.synchronize()
    }
}
