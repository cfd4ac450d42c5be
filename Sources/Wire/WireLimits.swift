/// Limits of the wire format; README.md lists them.
public enum WireLimits {
    /// The largest frame on a control connection, and on any connection before the hello.
    public static let controlFrameBytes = 256 * 1024
    /// The largest data field of a blob's chunk.
    public static let chunkBytes = 256 * 1024
    /// The largest frame on a bulk connection: a chunk and the fields around it.
    public static let bulkFrameBytes = chunkBytes + 1024
    /// Returns the memory that unpacking a frame may allocate, in bytes: many small fields need more memory than bytes
    /// on the wire.
    ///
    /// - Parameter frameBytes: The size of the packed frame, in bytes.
    public static func unpackBudget(frameBytes: Int) -> Int { 64 * 1024 + 8 * frameBytes }
    /// The largest ledger entry, which is also the limit of C2SP tiles.
    public static let entryBytes = 65_535
    /// The largest free text: reasons, hints, names of software.
    public static let textBytes = 4096
    public static let manifestBytes = 4096
    public static let signatureBytes = 512
    public static let certificateBytes = 16 * 1024
    public static let proofHashes = 64
    /// The protocol versions that this program supports.
    public static let versions: ClosedRange<UInt32> = 1...1
}
