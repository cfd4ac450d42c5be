/// Limits of the wire; README.md lists them.
public enum WireLimits {
    /// Largest frame on a control connection, and before the hello.
    public static let controlFrameBytes = 256 * 1024
    /// Largest data field of a blob's chunk.
    public static let chunkBytes = 256 * 1024
    /// Largest frame on a bulk connection: a chunk and what is around it.
    public static let bulkFrameBytes = chunkBytes + 1024
    /// What unpacking a frame may allocate: many small fields cost more in memory than on the wire.
    public static func unpackBudget(frameBytes: Int) -> Int { 64 * 1024 + 8 * frameBytes }
    /// An entry of the ledger (C2SP tiles carry at most this).
    public static let entryBytes = 65_535
    /// Free text: reasons, hints, names of software.
    public static let textBytes = 4096
    public static let manifestBytes = 4096
    public static let signatureBytes = 512
    public static let certificateBytes = 16 * 1024
    public static let proofHashes = 64
    /// Protocol versions that this program speaks.
    public static let versions: ClosedRange<UInt32> = 1...1
}
