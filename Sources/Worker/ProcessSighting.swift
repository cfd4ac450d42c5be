import Foundation

/// What can be seen of a process of this machine, also of another user's.
public struct ProcessSighting: Equatable, Sendable {
    /// Whether there is a process of that number that has not ended.
    public let exists: Bool
    /// Tells it from every other process that had or will have its number; `nil` where the system does not show it.
    public let identity: String?

    public init(exists: Bool, identity: String?) {
        self.exists = exists
        self.identity = identity
    }

    public init(of pid: Int) {
        guard let number = pid_t(exactly: pid), number > 0 else {
            self.init(exists: false, identity: nil)
            return
        }
        // A process of another user is there, and may not be sent signals.
        let isThere = kill(number, 0) == 0 || errno == EPERM
        let details = Self.details(of: number)
        self.init(exists: isThere && !(details?.hasEnded ?? false), identity: details?.identity)
    }

    /// From proc(5): the state, and the time of its start in ticks since the boot that has this identifier.
    private static func details(of pid: pid_t) -> (hasEnded: Bool, identity: String)? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat"),
            let boot = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id")
        else { return nil }
        // The program's name, in parentheses, may hold anything.
        let fields =
            data.split(separator: UInt8(ascii: ")")).last.map {
                String(decoding: $0, as: UTF8.self).split(separator: " ")
            } ?? []
        guard fields.count > 19, let start = UInt64(fields[19]) else { return nil }
        let name = String(decoding: boot, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return (["Z", "X"].contains(fields[0]), "\(name) \(start)")
    }
}
