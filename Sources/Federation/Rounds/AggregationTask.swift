/// All that determines a round's result: whoever has the blobs can compute it again, bit for bit.
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
    public let bound: Double
    public let scaleBits: Int
    /// Sorted by site; the order does not change the result.
    public let contributions: [Contribution]

    public init(
        key: RoundKey, start: GlobalState, strategy: Strategy, bound: Double, scaleBits: Int,
        contributions: [Contribution]
    ) {
        self.key = key
        self.start = start
        self.strategy = strategy
        self.bound = bound
        self.scaleBits = scaleBits
        self.contributions = contributions
    }

    public var totalWeight: UInt64 { contributions.reduce(0) { $0 + UInt64($1.weight) } }
}
