import Federation
import KumiaiProto

/// What a pruning of expired rounds removed, or would remove.
public struct RemovalReport: Equatable, Sendable {
    public let rounds: Int
    public let blobs: Int
    public let byteCount: UInt64

    /// Creates a report.
    ///
    /// - Parameters:
    ///   - rounds: The number of rounds whose updates were removed.
    ///   - blobs: The number of removed blobs.
    ///   - byteCount: The size of all removed blobs together, in bytes.
    public init(rounds: Int, blobs: Int, byteCount: UInt64) {
        self.rounds = rounds
        self.blobs = blobs
        self.byteCount = byteCount
    }
}
