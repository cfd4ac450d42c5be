import Wire

/// Limits of what sites may send; README.md lists them.
public enum CoordinatorLimits {
    /// An update's file may be this much larger than the base model's: its header may name other metadata.
    public static let headerSlackBytes = 64 * 1024
    /// A model that an operator registers.
    public static let modelBytes: UInt64 = 64_000_000_000
    /// Models that one operator may have sent and not registered; a further one takes the place of the oldest.
    public static let arrivingModelsPerOperator = 2
    /// The same, of all operators together.
    public static let arrivingModels = 8
    /// Blobs that one site may be uploading at a time.
    public static let uploadsPerSite = 2
    /// Different blobs that one site may have uploaded between the ends of two rounds.
    public static let blobsPerSiteAndRound = 8
    /// How long a coordinator that has started waits for its sites before it decides anything: they try to connect at
    /// least every 90 s.
    public static let hearingMilliseconds: Int64 = 90_000
    /// How long it waits for all of them; then those of the quorum are enough.
    public static let patientMilliseconds: Int64 = 30_000
    /// A control connection that says nothing for this many heartbeats is closed.
    public static let silentHeartbeats = 6
    /// How far the ledger's newest entry may be ahead of the clock before nothing more is decided: what deadlines
    /// stretch by at most.
    public static let clockLeadMilliseconds: Int64 = 3_600_000
    /// A step of the clock by more than this is not followed while the coordinator runs.
    public static let clockStepMilliseconds: Int64 = 60_000
    /// Connections that one certificate's holder may have open.
    public static let connectionsPerPeer = 8
    /// A bulk connection on which not one chunk moves for this long is closed; what has arrived is kept.
    public static let stalledSeconds = 300
    /// Chunks of all uploads together that may wait for the disk, beyond one of each.
    public static let chunksInHand = 64
    /// Bytes of a chunk where `transfers` are under way: many at a time have smaller ones, so that memory does not grow
    /// with them.
    public static func chunkBytes(transfers: Int) -> Int {
        max(32 * 1024, WireLimits.chunkBytes / max(1, transfers / 8))
    }
    /// Messages to a site that may wait for it to read.
    public static let sendSeconds = 60
}
