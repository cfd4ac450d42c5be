import Blobs
import Federation
import Foundation
import Transport

/// The record for the security officer: one line, with time and digest, for each update that left the site.
struct SentLog: Sendable {
    let path: String

    /// The number of bytes at the end of the file that are searched for the newest lines.
    private static let tailBytes: UInt64 = 16 * 1024

    /// Appends a line, unless the update already has one.
    ///
    /// - Throws: ``WorkerError`` if the line cannot be written. Then the update must not be sent.
    func record(_ manifest: UpdateManifest, at time: Timestamp) throws {
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
        // A resumed transfer does not get a second line.
        let end = UInt64(status.st_size)
        try file.seek(toOffset: end - min(end, Self.tailBytes))
        let newest = try String(decoding: file.readToEnd() ?? Data(), as: UTF8.self)
        let isRecorded = newest.split(separator: "\n").contains { $0.contains(update) && $0.hasSuffix("}") }
        guard !isRecorded else {
            // The process that wrote the line may have been killed before the line was durable.
            do { return try Self.synchronise(file, path) } catch { throw Self.cannotWrite(path, describe(error)) }
        }
        // A line that a kill truncated is terminated, so that the new line is separate.
        let isTorn = !newest.isEmpty && !newest.hasSuffix("\n")
        do {
            try file.write(contentsOf: Data(((isTorn ? "\n" : "") + line).utf8))
            try Self.synchronise(file, path)
        } catch {
            // Otherwise an incomplete line could be read as a complete one.
            try? file.truncate(atOffset: end)
            throw Self.cannotWrite(path, describe(error))
        }
    }

    /// Also the folder: the file may be new.
    private static func synchronise(_ file: FileHandle, _ path: String) throws {
        try file.synchronize()
        try SystemDisk().synchronise(directory: SystemDisk.folder(of: path))
    }

    private static func cannotWrite(_ path: String, _ reason: String) -> WorkerError {
        WorkerError(
            "the record of what leaves this site cannot be written, and nothing is sent: \(path): \(reason)",
            hint: "free disk space, or correct the file's permissions; the worker continues by itself"
        )
    }
}
