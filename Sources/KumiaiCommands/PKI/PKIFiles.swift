import Foundation
import Identity

/// The files of an identity's directory.
struct PKIFiles {
    let directory: String

    var authority: String { directory + "/ca.pem" }
    var authorityKey: String { directory + "/ca.key" }
    var certificate: String { directory + "/certificate.pem" }
    var key: String { directory + "/key.pem" }
    var request: String { directory + "/request.pem" }

    func create() throws { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }

    /// Never overwrites: a key that is gone cannot be had again.
    func write(_ bytes: [UInt8], to path: String, isPrivate: Bool = false) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, isPrivate ? 0o600 : 0o644)
        guard descriptor >= 0 else {
            throw UsageError(
                "cannot write \(path): \(String(cString: strerror(errno)))",
                hint: errno == EEXIST ? "nothing is overwritten; choose another directory with --out" : "")
        }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw UsageError("cannot write \(path)") }
    }
}
