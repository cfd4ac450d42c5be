import Federation
import Foundation

/// A line for the security officer for everything that left the site: what, when, and its digest.
struct SentLog: Sendable {
    let path: String

    func note(_ manifest: UpdateManifest, at time: Timestamp) {
        let line = """
            {"at_ms": \(time.milliseconds), "campaign": "\(manifest.campaign)", "round": \(manifest.key.round), "attempt": \
            \(manifest.key.attempt), "update": "\(manifest.update.hex)", "bytes": \(manifest.updateByteCount)}\n
            """
        guard let file = fopen(path, "a") else { return }
        fputs(line, file)
        fclose(file)
    }
}
