import Federation
import Foundation
import Transport

/// A line for the security officer for everything that left the site: what, when, and its digest.
struct SentLog: Sendable {
    let path: String

    /// Bytes at the end in which the newest lines are looked for.
    private static let lookedAt: UInt64 = 16 * 1024

    /// Appends a line, or throws why it cannot be there: what is not on record does not leave the site.
    func note(_ manifest: UpdateManifest, at time: Timestamp) throws {
        let update = """
            "campaign": "\(manifest.campaign)", "round": \(manifest.key.round), "attempt": \(manifest.key.attempt), \
            "update": "\(manifest.update.hex)"
            """
        let line = """
            {"at_ms": \(time.milliseconds), \(update), "bytes": \(manifest.updateByteCount)}\n
            """
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else { throw Self.cannotWrite(path, String(cString: strerror(errno))) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Self.cannotWrite(path, "it is not a regular file")
        }
        // A transfer that goes on is no further one.
        let end = UInt64(status.st_size)
        try file.seek(toOffset: end - min(end, Self.lookedAt))
        let newest = try String(decoding: file.readToEnd() ?? Data(), as: UTF8.self)
        guard !newest.contains(update) else { return }
        // A line that was cut off by a kill stays one of its own.
        let isTorn = !newest.isEmpty && !newest.hasSuffix("\n")
        do {
            try file.write(contentsOf: Data(((isTorn ? "\n" : "") + line).utf8))
            try file.synchronize()
        } catch {
            // Half a line would be read as one.
            try? file.truncate(atOffset: end)
            throw Self.cannotWrite(path, describe(error))
        }
    }

    private static func cannotWrite(_ path: String, _ reason: String) -> WorkerError {
        WorkerError(
            "the record of what leaves this site cannot be written, and nothing is sent: \(path): \(reason)",
            hint: "make room, or correct the file's permissions; it goes on by itself"
        )
    }
}
