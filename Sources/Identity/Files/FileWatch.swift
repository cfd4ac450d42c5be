import Glibc

/// Notices that files were replaced or changed, by what the file system says of them.
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
    /// As they were when they were last read.
    private var read: [Stamp?]
    /// As they were at the last look.
    private var seen: [Stamp?]

    init(_ paths: [String]) {
        self.paths = paths
        read = paths.map(Stamp.init)
        seen = read
    }

    /// Whether the files are others than those that were read, and have stood still since the last look: a file that is
    /// being copied, or a certificate whose key comes a moment later, is not read in between.
    mutating func hasSettledChange() -> Bool {
        let now = paths.map(Stamp.init)
        defer { seen = now }
        return now != read && now == seen
    }

    /// Notes that the files are being read as they are now.
    mutating func accept() {
        read = paths.map(Stamp.init)
        seen = read
    }
}
