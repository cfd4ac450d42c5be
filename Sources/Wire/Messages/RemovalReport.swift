import Federation
import KumiaiProto

/// What a pruning of expired rounds removed, or would remove.
public struct RemovalReport: Equatable, Sendable {
    public let rounds: Int
    public let blobs: Int
    public let byteCount: UInt64

    public init(rounds: Int, blobs: Int, byteCount: UInt64) {
        self.rounds = rounds
        self.blobs = blobs
        self.byteCount = byteCount
    }
}
