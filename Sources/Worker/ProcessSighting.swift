import Foundation

/// The visible state of a process on this machine, possibly of another user.
package struct ProcessSighting: Equatable, Sendable {
    /// Whether there is a process with that number that has not ended.
    package let exists: Bool
    /// Distinguishes the process from all others that have had or will have its number; `nil` if the system does not
    /// show it.
    package let identity: String?

    package init(exists: Bool, identity: String?) {
        self.exists = exists
        self.identity = identity
    }

    package init(of pid: Int) {
        guard let number = pid_t(exactly: pid), number > 0 else {
            self.init(exists: false, identity: nil)
            return
        }
        // EPERM means that the process exists but belongs to another user.
        let isThere = kill(number, 0) == 0 || errno == EPERM
        let details = Self.details(of: number)
        self.init(exists: isThere && !(details?.hasEnded ?? false), identity: details?.identity)
    }

    /// Reads the state, and an identity that consists of the boot's identifier and the start time in clock ticks since
    /// that boot; see proc(5).
    private static func details(of pid: pid_t) -> (hasEnded: Bool, identity: String)? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat"),
            let boot = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id")
        else { return nil }
        // The program's name, in parentheses, can contain any characters.
        let fields =
            data.split(separator: UInt8(ascii: ")")).last.map {
                String(decoding: $0, as: UTF8.self).split(separator: " ")
            } ?? []
        guard fields.count > 19, let start = UInt64(fields[19]) else { return nil }
        let name = String(decoding: boot, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return (["Z", "X"].contains(fields[0]), "\(name) \(start)")
    }
}
