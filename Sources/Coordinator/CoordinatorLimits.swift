import Wire

/// Limits on what clients may send; README.md lists them.
package enum CoordinatorLimits {
    /// How much larger an update's file may be than the base model's, because its header may contain other metadata.
    package static let headerSlackBytes = 64 * 1024
    /// The size of a model that an operator registers.
    package static let modelBytes: UInt64 = 64_000_000_000
    /// Models that one operator may have sent but not registered; another one replaces the oldest.
    package static let arrivingModelsPerOperator = 2
    /// Models that all operators together may have sent but not registered.
    package static let arrivingModels = 8
    /// Blobs that one site may upload at the same time.
    package static let uploadsPerSite = 2
    /// Different blobs that one site may offer between the ends of two rounds.
    package static let blobsPerSiteAndRound = 8
    /// How long a coordinator that has just started waits for its sites before it decides anything. Sites try to
    /// connect at least every 90 s.
    package static let startupWaitMilliseconds: Int64 = 90_000
    /// How long it waits for all sites; after that, a quorum is enough.
    package static let fullAttendanceMilliseconds: Int64 = 30_000
    /// A control connection is closed after this many heartbeat intervals without a message.
    package static let silentHeartbeats = 6
    /// How far the ledger's newest entry may be ahead of the clock before the coordinator stops deciding. Deadlines are
    /// extended by at most this time.
    package static let clockLeadMilliseconds: Int64 = 3_600_000
    /// A clock step larger than this is ignored while the coordinator runs.
    package static let clockStepMilliseconds: Int64 = 60_000
    /// Connections that the holder of one certificate may have open.
    package static let connectionsPerPeer = 8
    /// A bulk connection is closed if no chunk moves for this long; what has arrived is kept.
    package static let stalledSeconds = 300
    /// Chunks of all uploads together that may wait for the disk; when they are used up, each upload may still have one.
    package static let maximumChunksInFlight = 64
    /// Returns the chunk size for the given number of concurrent transfers. Many concurrent transfers use smaller
    /// chunks, so that memory does not grow with their number.
    package static func chunkBytes(transfers: Int) -> Int {
        max(32 * 1024, WireLimits.chunkBytes / max(1, transfers / 8))
    }
    /// How long sending a message to a site that does not read may take.
    package static let sendTimeoutSeconds = 60
}
