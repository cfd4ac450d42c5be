/// When the system is asked to begin to write what was appended to a file: then the synchronisation at the end has little to
/// wait for.
struct WriteBack {
    /// The offset up to which the system was asked.
    private var begun: UInt64

    /// The number of bytes after which it is asked.
    private static let bytes: UInt64 = 4 << 20

    init(from offset: UInt64 = 0) { begun = offset }

    /// - Returns: What the system is to be asked to write now that the file has `end` bytes; `nil` if it is too little.
    mutating func range(upTo end: UInt64) -> Range<UInt64>? {
        guard end - begun >= Self.bytes else { return nil }
        defer { begun = end }
        return begun..<end
    }
}
