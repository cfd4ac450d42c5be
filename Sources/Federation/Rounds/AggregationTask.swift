/// Everything that determines a round's result: a client with the blobs can compute it again, bit for bit.
public struct AggregationTask: Equatable, Sendable {
    public struct Contribution: Equatable, Sendable {
        public let site: SiteID
        public let update: Digest
        public let weight: UInt32

        public init(site: SiteID, update: Digest, weight: UInt32) {
            self.site = site
            self.update = update
            self.weight = weight
        }
    }

    public let key: RoundKey
    public let start: GlobalState
    public let strategy: Strategy
    /// What the updates hold.
    public let training: Training
    /// In what form.
    public let compression: Compression
    public let isLastRound: Bool
    public let bound: Double
    public let scaleBits: Int
    /// The scale for the sums of products in the exact aggregation of adapters.
    public let productScaleBits: Int
    /// Sorted by site; the order does not change the result.
    public let contributions: [Contribution]

    public init(
        key: RoundKey,
        start: GlobalState,
        strategy: Strategy,
        training: Training,
        compression: Compression = .none,
        isLastRound: Bool,
        bound: Double,
        scaleBits: Int,
        productScaleBits: Int,
        contributions: [Contribution]
    ) {
        self.key = key
        self.start = start
        self.strategy = strategy
        self.training = training
        self.compression = compression
        self.isLastRound = isLastRound
        self.bound = bound
        self.scaleBits = scaleBits
        self.productScaleBits = productScaleBits
        self.contributions = contributions
    }

    /// The same round, computed as if it were the plan's last: the adapter is folded into the model.
    public var asLast: AggregationTask {
        AggregationTask(
            key: key,
            start: start,
            strategy: strategy,
            training: training,
            compression: compression,
            isLastRound: true,
            bound: bound,
            scaleBits: scaleBits,
            productScaleBits: productScaleBits,
            contributions: contributions
        )
    }

    /// Whether the round's result includes a new model. With adapters, the model changes only by the residual of an
    /// exact aggregation, or in the last round, which folds the adapter in.
    public var makesModel: Bool { training.lora.map { $0.aggregation == .exact || isLastRound } ?? true }
    public var makesAdapter: Bool { training.lora != nil && !isLastRound }

    /// Returns the round's resulting state; calls each closure only if the task creates that blob.
    public func result(
        model: () throws -> BlobReference,
        adapter: () throws -> BlobReference,
        serverState: () throws -> BlobReference
    ) rethrows -> GlobalState {
        let model = try makesModel ? model() : BlobReference(digest: start.model, byteCount: start.modelByteCount)
        return GlobalState(
            model: model.digest,
            modelByteCount: model.byteCount,
            adapter: try makesAdapter ? adapter() : nil,
            serverState: try strategy.hasServerState ? serverState().digest : nil
        )
    }

    public var totalWeight: UInt64 { contributions.reduce(0) { $0 + UInt64($1.weight) } }
}
