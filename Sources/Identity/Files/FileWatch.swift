import Glibc

/// Detects that files were replaced or changed, from their metadata.
struct FileWatch: Sendable {
    private struct Stamp: Equatable {
        let device: UInt64
        let inode: UInt64
        let byteCount: Int64
        let seconds: Int
        let nanoseconds: Int
        let mode: UInt32

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            (device, inode, byteCount) = (UInt64(status.st_dev), UInt64(status.st_ino), Int64(status.st_size))
            (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
            mode = UInt32(status.st_mode)
        }
    }

    private let paths: [String]
    /// The metadata when the files were last read.
    private var read: [Stamp?]
    /// The metadata at the last check.
    private var seen: [Stamp?]

    init(_ paths: [String]) {
        self.paths = paths
        read = paths.map(Stamp.init)
        seen = read
    }

    /// Whether the files have changed since they were read, and have not changed since the last check. The second
    /// condition avoids reading a file while it is being copied, or a certificate before its key is replaced too.
    mutating func hasSettledChange() -> Bool {
        let now = paths.map(Stamp.init)
        defer { seen = now }
        return now != read && now == seen
    }

    /// Records that the files are being read as they are now.
    mutating func accept() {
        read = paths.map(Stamp.init)
        seen = read
    }
}
