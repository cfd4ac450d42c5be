/// Everything that determines a round's result: a client with the blobs can compute it again, bit for bit.
public struct AggregationTask: Equatable, Sendable {
    public struct Contribution: Equatable, Sendable {
        public let site: SiteID
        public let update: Digest
        public let weight: UInt32

        /// Creates the value from its parts; see the properties.
        ///
        /// - Parameters:
        ///   - site: The site that sent the update.
        ///   - update: The SHA-256 of the update's file.
        ///   - weight: Its weight in the mean.
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

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - key: The round and the attempt at it.
    ///   - start: The state that the round started from.
    ///   - strategy: How the updates produce the next model.
    ///   - training: What the sites trained.
    ///   - compression: The encoding of the updates.
    ///   - isLastRound: Whether the round is the plan's last, which folds the adapter into the model.
    ///   - bound: The largest Euclidean norm of an update.
    ///   - scaleBits: Values are rounded to multiples of 2^-scaleBits before they are summed.
    ///   - productScaleBits: The same for products of an adapter's factors.
    ///   - contributions: The updates and their weights; the order does not change the result.
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
    ///
    /// - Parameters:
    ///   - model: Makes the new model's file.
    ///   - adapter: Makes the new adapter's file.
    ///   - serverState: Makes the file of the strategy's new state.
    /// - Throws: The error of a closure; there are no others.
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
